/* Says in JupyterLab when a document could not be saved, until it is.

The server tells it to everybody as an event of the collaboration, which JupyterLab by itself only
writes to its log. This is a prebuilt extension written by hand: it has nothing to be built.
*/
(() => {
  const schema = "https://schema.jupyter.org/jupyter_collaboration/session/v1";

  const activate = (app) => {
    const shown = new Map(); // ids of what is shown, by path
    const run = (command, args) => app.commands.execute(`apputils:${command}`, args);

    const show = async (path, message) => {
      if (shown.has(path)) {
        await run("update-notification", { id: shown.get(path), message, type: "error" });
      } else {
        shown.set(path, "");
        const options = { autoClose: false };
        shown.set(path, await run("notify", { message, type: "error", options }));
      }
    };

    const hide = async (path) => {
      if (shown.has(path)) {
        const id = shown.get(path);
        shown.delete(path);
        await run("dismiss-notification", { id });
      }
    };

    app.serviceManager.events.stream.connect((_, event) => {
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
