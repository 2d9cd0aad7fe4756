import { createElement } from 'react';

/** What JSX becomes, under a name of one letter: it is written some eighty times into the bundle. */
export const h = createElement;
