import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';

import { commands } from './plugins/commands';
import { connectionLost } from './plugins/connectionLost';
import { model } from './plugins/model';
import { notebookWidget } from './plugins/notebook';
import { panel } from './plugins/panel';
import { status } from './plugins/status';
import { toolbar } from './plugins/toolbar';

export { IAutostopModel } from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [model, status, toolbar, panel, commands, notebookWidget];
// JupyterHub has a dialog of its own, which offers to start the server again.
if (!PageConfig.getOption('hubPrefix')) {
  plugins.push(connectionLost);
}
export default plugins;
