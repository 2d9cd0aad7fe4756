import type { IConnection, IReceived } from './request';
import { route, send } from './request';
import type { IChange } from './tokens';

/** The State; with `refresh` the server asks the platform first. */
export function getInstance(
  connection: IConnection,
  options: { refresh?: boolean; signal?: AbortSignal } = {}
): Promise<IReceived> {
  const path = route(options.refresh ? 'instance?refresh=1' : 'instance');
  return send(connection, { path, signal: options.signal });
}

/** Change settings; refused when somebody else has changed the same part since `version`. */
export function patchInstance(connection: IConnection, change: IChange, version: string): Promise<IReceived> {
  return send(connection, {
    method: 'PATCH',
    path: route('instance'),
    body: change,
    headers: { 'If-Match': version }
  });
}

/** Move this run's stop time: by seconds from the shown one, or until an epoch time in ms. */
export function extendInstance(
  connection: IConnection,
  by: { by: number } | { until: number }
): Promise<IReceived> {
  return send(connection, { method: 'POST', path: route('extend'), body: by });
}

/** Stop the instance now. */
export function stopInstance(connection: IConnection): Promise<IReceived> {
  return send(connection, { method: 'POST', path: route('stop'), body: {} });
}
