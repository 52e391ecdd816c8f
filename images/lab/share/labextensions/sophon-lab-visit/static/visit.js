/* Says in JupyterLab how long a temporary lab is still there, with a link to keep what is in it.

The server is told by the hub, and knows nothing in labs that stay. This is a prebuilt extension
written by hand: it has nothing to be built.
*/
(() => {
  const SECONDS = 15;
  const SOON = 10 * 60; // from then on the colour warns
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);

  const STYLE = `
    #sophon-visit {
      display: flex;
      flex: 0 0 auto;
      align-items: center;
      gap: 0.6rem;
      padding: 0 0.75rem;
      color: var(--jp-ui-font-color1);
      font-size: var(--jp-ui-font-size1);
      white-space: nowrap;
    }
    #sophon-visit.sophon-soon { color: var(--jp-ui-font-color0); background: var(--jp-warn-color3); }
    #sophon-visit a { color: var(--jp-content-link-color); text-decoration: underline; }
  `;

  let shared = {};

  const module = async (name) => {
    const [found] = Object.values(shared[name] || {});
    return (await found.get())();
  };

  const time = (seconds) => {
    const minutes = Math.ceil(seconds / 60);
    const [hours, rest] = [Math.floor(minutes / 60), String(minutes % 60).padStart(2, "0")];
    return hours ? `${hours}:${rest} h` : `${minutes} min`;
  };

  /* The nearer end counts; the one for want of work is only worth a word when it is near. */
  const sentence = ({ ends_in: ends, idle_ends_in: idle }) =>
    idle < ends && idle <= SOON
      ? `Nobody works here: deleted in ${time(idle)}`
      : `Temporary lab: deleted in ${time(ends)}`;

  const makeWidget = async () => {
    const { Widget } = await module("@lumino/widgets");
    const widget = new Widget();
    widget.id = "sophon-visit";
    const text = document.createElement("span");
    text.setAttribute("role", "timer");
    const link = document.createElement("a");
    link.textContent = "Keep my work";
    link.target = "_blank";
    link.rel = "noopener";
    widget.node.append(text, link);
    const show = (told) => {
      text.textContent = sentence(told);
      link.href = told.keep_url;
      widget.node.classList.toggle("sophon-soon", Math.min(told.ends_in, told.idle_ends_in) <= SOON);
    };
    return { widget, show };
  };

  const activate = async (app) => {
    const settings = app.serviceManager.serverSettings;
    const { ServerConnection } = await module("@jupyterlab/services");
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
    const { widget, show } = await makeWidget();

    const ask = async () => {
      const answer = await ServerConnection.makeRequest(`${settings.baseUrl}sophon/visit`, {}, settings);
      const told = answer.ok ? await answer.json() : {};
      if (typeof told.ends_in === "number" && typeof told.idle_ends_in === "number") {
        show(told);
        if (!widget.isAttached) {
          app.shell.add(widget, "top", { rank: 900 });
        }
      }
    };

    const askAgain = async () => {
      try {
        if (!document.hidden) {
          await ask();
        }
      } catch {
        // the lab is away for a moment: what it said last stays
      }
      setTimeout(askAgain, (widget.isAttached ? SECONDS : 2) * 1000);
    };
    await app.restored;
    void askAgain();
  };

  const plugin = {
    id: "sophon-lab-visit:plugin",
    autoStart: true,
    activate: (app) => {
      if (String(config.hubUser || "").startsWith("tmp-")) {
        void activate(app);
      }
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["sophon-lab-visit"] = {
    init: (scope) => {
      shared = scope;
    },
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
