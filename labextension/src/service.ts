import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Token } from '@lumino/coreutils';

/**
 * Find a service of a package that not every front end shares; null where the package or the service is missing.
 *
 * A package that is imported at the top of a module must be there, or none of our plugins loads.
 */
export async function findService<T>(
  app: JupyterFrontEnd,
  importToken: () => Promise<Token<T>>
): Promise<T | null> {
  let token: Token<T>;
  try {
    token = await importToken();
  } catch {
    return null;
  }
  return app.resolveOptionalService(token);
}
