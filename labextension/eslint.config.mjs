import jupyter from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/', '.yarn/', 'coverage/', 'src/api/schema.ts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['src/**/*.{ts,tsx}', 'test/**/*.{ts,tsx}'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: ['./test/tsconfig.json'], tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-warning-comments': 'error',
      'prefer-const': 'error',
      curly: 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // Interfaces carry an I here, as everywhere in JupyterLab.
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z]', match: true } }
      ],
      // A token and the interface it stands for share their name: that is how JupyterLab finds services.
      '@typescript-eslint/no-redeclare': 'off',
      // Index signatures read like the JSON they describe.
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      // Numbers and the like in a template are meant.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true }
      ],
      // Lumino's signals take a method and its `this` apart, and need the bare method to disconnect.
      '@typescript-eslint/unbound-method': 'off',
      // One-line arrows that pass on a call made for its effect read better without braces.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }]
    }
  },
  ...jupyter.configs.recommended.map(config => ({
    ...config,
    plugins: { ...config.plugins, jupyter }
  })),
  {
    files: ['src/plugins/*.ts'],
    rules: {
      // What the status bar shows is wanted at once; another file to wait for would only delay it.
      'jupyter/prefer-lazy-imports': 'off'
    }
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests own what they make for a few lines, and say no words to people.
      'jupyter/require-disposable-ownership': 'off',
      'jupyter/require-signal-cleanup': 'off',
      'jupyter/no-untranslated-string': 'off'
    }
  },
  {
    // Plain files of settings, outside the TypeScript project.
    files: ['*.js', '*.cjs', '*.mjs', 'style/*.js', 'test/*.js'],
    extends: [tseslint.configs.base, tseslint.configs.disableTypeChecked]
  }
);
