/* Says in JupyterLab when a document could not be saved, until it is, and when the lab is about to
be stopped since nobody works in it, with a button that keeps it running.

The server tells both to everybody as events, the first as one of the collaboration, which JupyterLab
by itself only writes to its log. This is a prebuilt extension written by hand: it has nothing to be built.
*/
(() => {
  const schema = "https://schema.jupyter.org/jupyter_collaboration/session/v1";

  const stops = "urn:sophon:lab-stops:v1";
  const keep = "sophon:keep-running";
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);

  /* Count as work, so that the lab is not stopped. */
  const keepRunning = async () => {
    const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
    const headers = { "X-XSRFToken": xsrf ? decodeURIComponent(xsrf[1]) : "" };
    const url = `${config.baseUrl}sophon/keep`;
    const answer = await fetch(url, { method: "POST", headers });
    if (!answer.ok) {
      throw new Error(`The lab cannot be kept running: ${answer.status}`);
    }
  };

  const when = (seconds) => {
    const minutes = Math.round(seconds / 60);
    if (minutes < 1) {
      return "in less than a minute";
    }
    return minutes === 1 ? "in a minute" : `in ${minutes} minutes`;
  };

  const activate = (app) => {
    const shown = new Map(); // ids of what is shown, by path
    const run = (command, args) => app.commands.execute(`apputils:${command}`, args);

    const show = async (path, message, type = "error", actions = []) => {
      if (shown.has(path)) {
        await run("update-notification", { id: shown.get(path), message, type });
      } else {
        shown.set(path, "");
        const options = { autoClose: false, actions };
        shown.set(path, await run("notify", { message, type, options }));
      }
    };

    const hide = async (path) => {
      if (shown.has(path)) {
        const id = shown.get(path);
        shown.delete(path);
        await run("dismiss-notification", { id });
      }
    };

    const label = "Keep it running";
    const actions = config.sophonWatching ? [] : [{ label, commandId: keep, displayType: "accent" }];
    app.commands.addCommand(keep, { label, execute: keepRunning });

    app.serviceManager.events.stream.connect((_, event) => {
      if (event.schema_id === stops) {
        if (event.seconds === null) {
          void hide(stops);
        } else {
          const message = `Nobody has worked in this lab for a while: it is stopped ${when(event.seconds)}. Everything is saved first.`;
          void show(stops, message, "warning", actions);
        }
        return;
      }
      if (event.schema_id !== schema) {
        return;
      }
      if (event.level === "ERROR") {
        void show(event.path, event.msg);
      } else if (event.action === "save") {
        void hide(event.path);
      }
    });
  };

  const plugin = { id: "sophon-lab-notices:plugin", autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["sophon-lab-notices"] = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
