// Packs what jupyter-builder has built once more, into one file with the container of src/container.ts.
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { rspack } = require('@rspack/core');
const { minify } = require('terser');

const { name, jupyterlab } = require('./package.json');
const output = path.join(__dirname, jupyterlab.outputDir);
const assets = path.join(output, 'static');
const metadata = path.join(output, 'package.json');
const packages = Object.keys(jupyterlab.sharedPackages);
const optional = packages.find(key => jupyterlab.sharedPackages[key].bundled === false);
const taken = key => `var PACKAGES[${packages.indexOf(key)}]`;

const config = {
  mode: 'production',
  target: ['web', 'es2020'],
  devtool: false,
  // Each becomes one scope without the bundler's runtime, which would weigh more than what it does here.
  entry: { container: './lib/container.js', index: './lib/index.js', style: './style/index.js' },
  output: { path: assets, filename: '[name].part.js', module: true, library: { type: 'modern-module' } },
  externals: {
    ...Object.fromEntries(packages.map(key => [key, taken(key)])),
    // Which is a few lines that take this from there.
    'react-dom/client': taken('react-dom'),
    './widgets': `var { widgets: async () => PACKAGES[${packages.indexOf(optional)}] }`
  },
  module: {
    rules: [
      { test: /\.js$/, resolve: { fullySpecified: false } },
      {
        test: /\.css$/,
        type: 'asset/resource',
        generator: { filename: '[name].[contenthash].css', publicPath: 'FOLDER/' }
      }
    ]
  },
  optimization: { minimize: false },
  plugins: [new rspack.DefinePlugin({ NAMES: JSON.stringify(packages), OPTIONAL: JSON.stringify(optional) })]
};

// Names that begin with an underscore and are not ours alone: ipywidgets and JupyterLab look for them.
const reserved = [
  '_JUPYTERLAB',
  '_model_module',
  '_model_module_version',
  '_model_name',
  '_view_module',
  '_view_module_version',
  '_view_name'
];

// Names of what passes between our own parts alone, and is looked up by no string.
const internal = [
  ...['words', 'blocked', 'blockedBy', 'locale', 'monotonic', 'wall', 'insist', 'askText', 'tell', 'doubt'],
  ...['showPanel', 'requestId', 'retryAfter', 'meaning', 'onAction', 'connection', 'listener', 'dialogs'],
  ...[
    'busy',
    'said',
    'say',
    'plan',
    'grave',
    'live',
    'badge',
    'seen',
    'trans',
    'why',
    'wish',
    'ask',
    'act',
    'present',
    'note',
    'when',
    'run',
    'turned',
    'action',
    'toggle',
    'follow',
    'seconds'
  ]
];

/** The source of one part with its exports, which stand at its end, as a value to assign or return. */
function part(file, into) {
  const code = fs.readFileSync(path.join(assets, `${file}.part.js`), 'utf8');
  const exported = [];
  const plain = code
    .replace(/^export default (\w+);$/gm, (_, own) => (exported.push(`default: ${own}`), ''))
    .replace(/^export \{(.*)\};?$/gm, (_, list) => {
      exported.push(...list.split(',').map(pair => pair.trim().split(' as ').reverse().join(': ')));
      return '';
    });
  return `${plain}\n${into} { __esModule: true, ${exported.join(', ')} };`;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** A class with the same private names as every other, in the order of their use: few names pack better than many. */
function pooled(code) {
  const kept = { field: [], method: [] };
  return code.replace(/(?<!\w)_[a-z][A-Za-z]+(?!\w)/g, key => {
    const kind = code.includes(`this.${key}(`) ? 'method' : 'field';
    const names = kept[kind];
    if (!names.includes(key)) {
      names.push(key);
    }
    return `_${kind}${LETTERS[names.indexOf(key)]}`;
  });
}

async function packed() {
  const own = `(window._JUPYTERLAB = window._JUPYTERLAB || {})[${JSON.stringify(name)}] =`;
  const code = `(() => {
    'use strict';
    const FOLDER = document.currentScript?.src.replace(/[^/]*$/, '') ?? '';
    const PACKAGES = [];
    const STYLE = () => { ${part('style', 'return').replaceAll('"FOLDER/', 'FOLDER + "')} };
    const INDEX = () => { ${part('index', 'return')} };
    ${part('container', own)}
  })()`;
  const compress = {
    ecma: 2020,
    passes: 2,
    inline: 1,
    pure_getters: true,
    unsafe: true,
    unsafe_arrows: true
  };
  // One letter each: no class of another package that ours extend has such a name.
  const properties = {
    builtins: true,
    regex: new RegExp(`^(_[a-z][A-Za-z]+|${internal.join('|')})$`),
    reserved
  };
  // Nothing is assigned twice here that was a constant: the shorter word does.
  const short = code
    .replace(/^(\s*)const /gm, '$1let ')
    .replace(/\(0,\s*([\w$]+\.[\w$]+)\)\(/g, '$1(')
    .replace(/window\.(setTimeout|clearTimeout)/g, '$1')
    .replace(/^( *)class .*\{\n[^]*?^\1\}/gm, pooled);
  return (await minify(short, { ecma: 2020, compress, mangle: { properties } })).code;
}

rspack(config, async (error, stats) => {
  if (error || stats.hasErrors()) {
    throw error ?? new Error(stats.toString('errors-only'));
  }
  const code = await packed();
  const load = `remoteEntry.${crypto.createHash('sha256').update(code).digest('hex').slice(0, 16)}.js`;
  fs.writeFileSync(path.join(assets, load), code);
  const made = [load, 'style.js', ...Object.keys(stats.compilation.assets)];
  for (const file of fs.readdirSync(assets)) {
    if (/\.(js|css)$/.test(file) && (!made.includes(file) || file.endsWith('.part.js'))) {
      fs.unlinkSync(path.join(assets, file));
    }
  }
  const data = JSON.parse(fs.readFileSync(metadata, 'utf8'));
  data.jupyterlab._build.load = `static/${load}`;
  fs.writeFileSync(metadata, JSON.stringify(data, null, 2) + '\n');
});
