/* Says in JupyterLab that somebody only watches, and hides what would fail, for as long as that is so.

The server says what somebody may do; it refuses the rest whatever is shown here. It is asked again
and again, since an owner may change that while the page is open. This is a prebuilt extension
written by hand: it has nothing to be built.
*/
(() => {
  const SECONDS = 3;
  const WATCHING = "sophon-watching";
  const PROMOTED = "sophon-promoted";
  const TEXT = "You are watching: you see what others do here, live, and change nothing.";

  // names of buttons in the bars above notebooks, texts and the list of files
  const BUTTONS =
    "save insert cut paste run interrupt restart restart-and-run cellType kernelName" +
    " executionProgress debugger-icon new-launcher new-directory uploader";
  // begins of the names of commands that change something or run something
  const COMMANDS =
    "runmenu: kernelmenu: filemenu:create filemenu:close-and-cleanup editmenu:undo editmenu:redo" +
    " docmanager:save docmanager:rename docmanager:duplicate docmanager:delete" +
    " docmanager:restore-checkpoint docmanager:toggle-autosave docmanager:new-untitled" +
    " filebrowser:rename filebrowser:delete filebrowser:cut filebrowser:paste" +
    " filebrowser:duplicate filebrowser:create filebrowser:upload launcher:create" +
    " terminal:create notebook:create console:create fileeditor:create notebook:run" +
    " notebook:restart notebook:interrupt notebook:reconnect notebook:shutdown notebook:insert" +
    " notebook:delete notebook:cut notebook:paste notebook:move notebook:merge notebook:split" +
    " notebook:change notebook:undo notebook:redo notebook:clear notebook:trust notebook:render" +
    " application:rename";

  const hidden = (name) =>
    [
      ...BUTTONS.split(" ").map((word) => `[data-jp-item-name="${word}"]`),
      ...COMMANDS.split(" ").map((begin) => `[data-command^="${begin}"]`),
      ".jp-Launcher-content",
      ".jp-cell-toolbar",
      ".jp-Notebook-footer",
    ]
      .map((selector) => `body.${name} ${selector}`)
      .join(",\n");

  const STYLE = `
    ${hidden(WATCHING)} { display: none !important; }
    /* documents that were opened by somebody who watched say so until they are opened again */
    body.${PROMOTED} [data-jp-item-name="read-only-indicator"] { display: none !important; }
    body.${WATCHING} .jp-Launcher-body::before {
      display: block;
      padding: 2rem;
      color: var(--jp-ui-font-color1);
      content: "Open a notebook from the list of files to watch what others do in it.";
    }
    #sophon-watching-banner {
      min-height: 2rem;
      padding: 0.35rem 1rem;
      overflow: hidden;
      color: var(--jp-ui-font-color0);
      background: var(--jp-warn-color3);
      font-size: var(--jp-ui-font-size1);
      text-align: center;
    }
  `;

  let shared = {};

  const module = async (name) => {
    const [found] = Object.values(shared[name] || {});
    return found ? (await found.get())() : null;
  };

  const addStyle = () => {
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
  };

  const makeBanner = async () => {
    const { Widget } = await module("@lumino/widgets");
    const banner = new Widget();
    banner.id = "sophon-watching-banner";
    banner.node.setAttribute("role", "status");
    banner.node.textContent = TEXT;
    return banner;
  };

  // keys that would ask for a kernel, or save: nobody is asked for what would be refused
  const refuseKeys = (event) => {
    const runs = event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.altKey);
    const saves = event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey);
    if (document.body.classList.contains(WATCHING) && (runs || saves)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };

  const menusOf = (mainMenu) => {
    let taken = [];
    return (isWatching) => {
      if (isWatching && !taken.length) {
        taken = [mainMenu.runMenu, mainMenu.kernelMenu]
          .map((menu) => ({ menu, index: mainMenu.menus.indexOf(menu) }))
          .filter(({ index }) => index >= 0);
        taken.forEach(({ menu }) => mainMenu.removeMenu(menu));
      } else if (!isWatching) {
        taken.forEach(({ menu, index }) => mainMenu.insertMenu(index, menu));
        taken = [];
      }
    };
  };

  const activate = async (app, mainMenu) => {
    const banner = await makeBanner();
    const show = mainMenu ? menusOf(mainMenu) : () => {};
    const settings = app.serviceManager.serverSettings;
    const { ServerConnection } = await module("@jupyterlab/services");
    addStyle();
    document.addEventListener("keydown", refuseKeys, true);

    const update = (mode) => {
      const isWatching = mode === "watch";
      const wasWatching = document.body.classList.contains(WATCHING);
      if (isWatching === wasWatching) {
        return;
      }
      document.body.classList.toggle(WATCHING, isWatching);
      document.body.classList.toggle(PROMOTED, wasWatching);
      show(isWatching);
      if (isWatching) {
        app.shell.add(banner, "header");
      } else {
        banner.parent = null;
      }
    };

    const ask = async () => {
      const address = `${settings.baseUrl}sophon/mode`;
      const answer = await ServerConnection.makeRequest(address, {}, settings);
      if (answer.ok) {
        update((await answer.json()).mode);
      }
    };

    const askAgain = async () => {
      try {
        if (!document.hidden) {
          await ask();
        }
      } catch {
        // the lab is away for a moment: what it said last holds
      }
      setTimeout(askAgain, SECONDS * 1000);
    };
    await app.restored;
    void askAgain();
  };

  const makePlugin = async () => {
    const menus = await module("@jupyterlab/mainmenu");
    const plugin = {
      id: "sophon-lab-watching:plugin",
      autoStart: true,
      optional: menus ? [menus.IMainMenu] : [],
      activate: (app, mainMenu) => {
        void activate(app, mainMenu);
      },
    };
    return () => ({ __esModule: true, default: plugin });
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["sophon-lab-watching"] = {
    init: (scope) => {
      shared = scope;
    },
    get: makePlugin,
  };
})();
