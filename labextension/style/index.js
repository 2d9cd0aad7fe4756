import base from './base.raw.css';
import card from './card.raw.css';

for (const href of [base, card]) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = href;
  document.head.append(link);
}
