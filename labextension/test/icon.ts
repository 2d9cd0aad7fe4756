/** As much of JupyterLab's icons as is looked at: making a real one loads every other. */
export class LabIcon {
  readonly name: string;
  readonly svgstr: string;

  constructor(options: { name: string; svgstr: string }) {
    this.name = options.name;
    this.svgstr = options.svgstr;
  }
}
