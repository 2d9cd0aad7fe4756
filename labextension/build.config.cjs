// The sheets are served as the CSS they are; wrapped in JavaScript, with a loader, they would weigh twice as much.
module.exports = {
  module: {
    rules: [
      { test: /\.raw\.css$/, type: 'asset/resource', generator: { filename: '[name].[contenthash].css' } }
    ]
  }
};
