/* Shows in JupyterLab's status bar what memory and processor the lab uses of what it may.

All people in the lab share them, whoever uses them. This is a prebuilt extension written by hand:
it has nothing to be built.
*/
(() => {
  const SECONDS = 5;
  const MUCH = 0.85; // of the memory; from then on the colour warns
  const TITLE = "Memory and processor cores that this lab uses, of what it may; all people in it share them.";

  let shared = {};

  const module = async (name) => {
    const [found] = Object.values(shared[name] || {});
    return found ? (await found.get())() : null;
  };

  const size = (bytes) =>
    bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GB` : `${Math.round(bytes / 2 ** 20)} MB`;

  const sentence = ({ memory, memory_limit: most, cpu, cpu_limit: cores }) => {
    const parts = [];
    if (memory !== null) {
      parts.push(`Memory ${size(memory)}${most ? ` of ${size(most)}` : ""}`);
    }
    if (cpu !== null) {
      parts.push(`CPU ${cpu.toFixed(1)}${cores ? ` of ${cores}` : ""}`);
    }
    return parts.join(" · ");
  };

  const activate = async (app, statusBar) => {
    const { Widget } = await module("@lumino/widgets");
    const { ServerConnection } = await module("@jupyterlab/services");
    const settings = app.serviceManager.serverSettings;
    const widget = new Widget();
    widget.id = "sophon-resources";
    widget.node.title = TITLE;
    widget.addClass("jp-StatusBar-TextItem"); // JupyterLab's own, for texts that stand beside others
    let isShown = false;

    const show = (used) => {
      const isMuch = used.memory_limit && used.memory / used.memory_limit >= MUCH;
      widget.node.textContent = sentence(used);
      widget.node.style.background = isMuch ? "var(--jp-warn-color2)" : "";
      if (!isShown) {
        isShown = true;
        statusBar.registerStatusItem("sophon-resources", { item: widget, align: "right", rank: 10 });
      }
    };

    /* Gives whether there is anything to ask again for. */
    const ask = async () => {
      const answer = await ServerConnection.makeRequest(
        `${settings.baseUrl}sophon/resources`,
        {},
        settings,
      );
      const used = answer.ok ? await answer.json() : null;
      if (used && used.memory !== null) {
        show(used);
      }
      return !used || used.memory !== null;
    };

    const askAgain = async () => {
      try {
        if (!document.hidden && !(await ask())) {
          return;
        }
      } catch {
        // the lab is away for a moment: what it said last stays
      }
      setTimeout(askAgain, SECONDS * 1000);
    };
    await app.restored;
    void askAgain();
  };

  const makePlugin = async () => {
    const bar = await module("@jupyterlab/statusbar");
    const plugin = {
      id: "sophon-lab-resources:plugin",
      autoStart: true,
      optional: bar ? [bar.IStatusBar] : [],
      activate: (app, statusBar) => {
        if (statusBar) {
          void activate(app, statusBar);
        }
      },
    };
    return () => ({ __esModule: true, default: plugin });
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["sophon-lab-resources"] = {
    init: (scope) => {
      shared = scope;
    },
    get: makePlugin,
  };
})();
