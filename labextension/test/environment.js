const { TestEnvironment } = require('jest-environment-jsdom');

/** A document as in a browser, with what of the network's interface jsdom leaves out. */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of ['fetch', 'Request', 'Response', 'Headers', 'AbortController', 'AbortSignal']) {
      this.global[name] = globalThis[name];
    }
    for (const name of ['ReadableStream', 'TextEncoder', 'TextDecoder']) {
      this.global[name] ??= globalThis[name];
    }
    // Lumino and its widgets name it when they are loaded.
    this.global.DragEvent ??= class extends this.global.MouseEvent {};
  }
};
