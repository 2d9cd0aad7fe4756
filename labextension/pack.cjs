// Packs what jupyter-builder has built once more, into one file with the container of src/container.ts.
const fs = require('fs');
const path = require('path');
const { rspack } = require('@rspack/core');

const { name, jupyterlab } = require('./package.json');
const output = path.join(__dirname, jupyterlab.outputDir);
const assets = path.join(output, 'static');
const metadata = path.join(output, 'package.json');
const container = `_JUPYTERLAB[${JSON.stringify(name)}]`;
const packages = Object.entries(jupyterlab.sharedPackages);
const named = optional =>
  JSON.stringify(packages.filter(([, { bundled }]) => (bundled === false) === optional).map(([key]) => key));

function taken(key, optional) {
  const found = `${container}.shared[${JSON.stringify(key)}]`;
  return `var ${optional ? `${found} ?? (() => { throw Error(${JSON.stringify(`There is no ${key}.`)}); })()` : found}`;
}

const config = {
  mode: 'production',
  target: ['web', 'es2020'],
  devtool: false,
  entry: './lib/container.js',
  output: {
    path: assets,
    // Where that is, the container finds out when it is loaded.
    publicPath: '',
    filename: 'remoteEntry.[contenthash].js',
    library: { type: 'var', name: ['_JUPYTERLAB', name] }
  },
  externals: Object.fromEntries(packages.map(([key, { bundled }]) => [key, taken(key, bundled === false)])),
  module: {
    parser: { javascript: { dynamicImportMode: 'eager' } },
    rules: [
      { test: /\.js$/, resolve: { fullySpecified: false } },
      { test: /\.css$/, type: 'asset/resource', generator: { filename: '[name].[contenthash].css' } }
    ]
  },
  optimization: {
    minimizer: [
      new rspack.SwcJsMinimizerRspackPlugin({
        extractComments: false,
        minimizerOptions: { ecma: 2020, compress: { ecma: 2020, passes: 3 } }
      })
    ]
  },
  plugins: [new rspack.DefinePlugin({ NEEDED: named(false), WANTED: named(true) })]
};

rspack(config, (error, stats) => {
  if (error || stats.hasErrors()) {
    throw error ?? new Error(stats.toString('errors-only'));
  }
  const made = Object.keys(stats.compilation.assets);
  const load = made.find(file => file.startsWith('remoteEntry.'));
  for (const file of fs.readdirSync(assets)) {
    if (/\.(js|css)$/.test(file) && file !== 'style.js' && !made.includes(file)) {
      fs.unlinkSync(path.join(assets, file));
    }
  }
  const data = JSON.parse(fs.readFileSync(metadata, 'utf8'));
  data.jupyterlab._build.load = `static/${load}`;
  fs.writeFileSync(metadata, JSON.stringify(data, null, 2) + '\n');
});
