import { isJournal } from './guards';
import type { IConnection, IReceived } from './request';
import { receive, route, send } from './request';
import type { IChange, IJournalEntry } from './types';

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
  const headers = { 'If-Match': version };
  return send(connection, { method: 'PATCH', path: route('instance'), body: change, headers });
}

/** Let this run last until an epoch time in ms; refused when somebody else has changed auto-stop since `version`. */
export function extendInstance(connection: IConnection, until: number, version: string): Promise<IReceived> {
  const headers = { 'If-Match': version };
  return send(connection, { method: 'POST', path: route('extend'), body: { until }, headers });
}

/** Stop the instance now. */
export function stopInstance(connection: IConnection): Promise<IReceived> {
  return send(connection, { method: 'POST', path: route('stop'), body: {} });
}

/** End a hold. */
export function deleteHold(connection: IConnection, id: string): Promise<IReceived> {
  return send(connection, { method: 'DELETE', path: route(`holds/${encodeURIComponent(id)}?by=person`) });
}

/** Tell this page's time zone, none as it closes; resolves to the seconds for which the server remembers it. */
export async function tellZone(
  connection: IConnection,
  told: { page: string; zone?: string; kernels?: string[] }
): Promise<number> {
  const remembered = (body: unknown): body is { expires_in: number } =>
    typeof body === 'object' && body !== null && Number((body as { expires_in?: unknown }).expires_in) > 0;
  const { body } = await receive(connection, { method: 'POST', path: route('zone'), body: told }, remembered);
  return body.expires_in;
}

/** What was changed from here, newest first. */
export async function getJournal(connection: IConnection): Promise<IJournalEntry[]> {
  return (await receive(connection, { path: route('journal') }, isJournal)).body.entries;
}
