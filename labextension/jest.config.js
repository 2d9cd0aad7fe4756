// JupyterLab's packages and what they stand on are published as ES modules, which Jest must be told to turn.
const modules = [
  '@jupyter',
  '@jupyterlab',
  '@lumino',
  '@microsoft',
  'exenv-es6',
  'lib0',
  'y-protocols',
  'yjs'
];

module.exports = {
  testEnvironment: '<rootDir>/test/environment.js',
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  // Of these only the tokens are used, and a name; the rest would load half of JupyterLab.
  moduleNameMapper: {
    '^@jupyterlab/application$': '@jupyterlab/application/lib/layoutrestorer',
    '^@jupyterlab/apputils$': '@jupyterlab/apputils/lib/tokens',
    '^@jupyterlab/notebook$': '@jupyterlab/notebook/lib/tokens',
    '^@jupyterlab/rendermime$': '@jupyterlab/rendermime/lib/tokens',
    '^@jupyterlab/settingregistry$': '@jupyterlab/settingregistry/lib/tokens',
    '^@jupyterlab/statusbar$': '@jupyterlab/statusbar/lib/tokens',
    '^@jupyterlab/ui-components$': '<rootDir>/test/icon.ts'
  },
  transform: {
    '\\.[jt]sx?$': [
      'ts-jest',
      {
        // Types are checked by the linting step, once for sources and tests together.
        diagnostics: false,
        tsconfig: {
          allowJs: true,
          esModuleInterop: true,
          isolatedModules: true,
          jsx: 'react',
          module: 'commonjs',
          sourceMap: true,
          target: 'ES2020'
        }
      }
    ]
  },
  transformIgnorePatterns: [`/node_modules/(?!(${modules.join('|')})/)`],
  restoreMocks: true
};
