import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** What a person is asked and told outside the card. */
export interface IDialogs {
  /** Ask whether to do what `body` says; `grave` where Enter alone must not do it. */
  ask: (title: string, body: string, accept: string, grave?: boolean) => Promise<boolean>;
  /** Ask for a text, saying what is wrong with the one that was given; null: none is wanted. */
  askText: (title: string, label: string, text: string, accept: string) => Promise<string | null>;
  /** Tell in passing. */
  tell: (message: string) => void;
  /** Tell what did not happen, or not as asked for, until it is read. */
  insist: (title: string, body: string) => Promise<unknown>;
}

/** JupyterLab's own dialogs. */
export function dialogs(trans: TranslationBundle): IDialogs {
  return {
    ask: async (title, body, accept, grave = false) => {
      const button = grave ? Dialog.warnButton : Dialog.okButton;
      const buttons = [Dialog.cancelButton({ label: trans.__('Cancel') }), button({ label: accept })];
      return (await showDialog({ title, body, buttons, defaultButton: grave ? 0 : 1 })).button.accept;
    },
    askText: async (title, label, text, accept) => {
      const { button, value } = await InputDialog.getText({
        ...{ title, label, text },
        cancelLabel: trans.__('Cancel'),
        okLabel: accept
      });
      return button.accept ? (value ?? '') : null;
    },
    tell: message => void Notification.info(message, { autoClose: 8000 }),
    insist: (title, body) =>
      showDialog({ title, body, buttons: [Dialog.okButton({ label: trans.__('OK') })] })
  };
}
