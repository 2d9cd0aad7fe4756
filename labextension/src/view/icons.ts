import type { Kind, IView } from './viewModel';

/** The shapes that tell the states apart where colour must not. */
export type IconName =
  'clock' | 'held' | 'bell' | 'unsure' | 'off' | 'hourglass' | 'ended' | 'cut' | 'warning';

const RING = 'M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5z';

// Strokes in a 16 x 16 box, one line weight, so that they sit together in a row of text.
const SHAPES: { [name in IconName]: string } = {
  clock: `${RING} M8 4.5V8l2.5 1.75`,
  held: 'M8 4.5V8l2 1.4 M14.1 6.7A6.25 6.25 0 1 0 7 14.15 M9.75 11.25h4.5v3.25h-4.5z M10.75 11.25v-.9a1.25 1.25 0 0 1 2.5 0v.9',
  bell: 'M3 11.5h10l-1.25-1.75V6.5a3.75 3.75 0 0 0-7.5 0v3.25z M6.75 13.75h2.5 M1.25 5.5a5 5 0 0 1 1.5-3 M14.75 5.5a5 5 0 0 0-1.5-3',
  unsure: `${RING} M6 6.25a2 2 0 1 1 2.75 1.85c-.5.2-.75.5-.75 1.15 M8 11.5v.25`,
  off: `${RING} M3.75 12.25l8.5-8.5`,
  hourglass: 'M4 1.75h8 M4 14.25h8 M5 1.75v2.5L8 8l3-3.75v-2.5 M5 14.25v-2.5L8 8l3 3.75v2.5',
  ended: `${RING} M6 6h4v4H6z`,
  cut: 'M6.5 9.5l-2 2a2.2 2.2 0 0 1-3-3l2.5-2.5 M9.5 6.5l2-2a2.2 2.2 0 0 1 3 3L12 10 M5.5 1.5v2 M1.5 3.5h2 M10.5 14.5v-2 M14.5 12.5h-2',
  warning: 'M8 2L14.5 13.5h-13z M8 6.25v3.5 M8 11.5v.25'
};

/** Of all others the most that is to be said in a picture is that something is wrong. */
const ICONS: { [kind in Kind]?: IconName } = {
  waiting: 'hourglass',
  running: 'clock',
  held: 'held',
  stale: 'unsure',
  off: 'off',
  'next-start': 'off',
  'idle-rule': 'clock',
  unconfigured: 'off',
  overdue: 'unsure',
  'no-stop-time': 'unsure',
  unsupported: 'off',
  unknown: 'unsure',
  starting: 'hourglass',
  resizing: 'hourglass',
  stopping: 'hourglass',
  stopped: 'ended',
  gone: 'ended',
  deleted: 'ended',
  lost: 'cut',
  logged_out: 'cut',
  missing: 'off',
  failed: 'unsure'
};

/** The shape for a view. */
export function iconOf(view: Pick<IView, 'kind' | 'level'>): IconName {
  const icon = ICONS[view.kind] ?? 'warning';
  return view.level !== 'normal' && (icon === 'clock' || icon === 'held') ? 'bell' : icon;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Draws one of the shapes in the colour of the text around it. */
export function drawIcon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', SHAPES[name]);
  svg.append(path);
  return svg;
}

/** One of the shapes as JupyterLab's icons want it, for a sidebar's tab. */
export function svgOf(name: IconName): string {
  return `<svg xmlns="${SVG}" width="16" fill="none" viewBox="0 0 16 16"><path class="jp-icon3" stroke="#616161" stroke-width="1.4" stroke-linecap="round" d="${SHAPES[name]}"/></svg>`;
}
