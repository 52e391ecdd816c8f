"""Settings of labs: what runs, on what, and how much of it."""

from typing import Any

from traitlets import Dict, Enum, Float, HasTraits, Int, List, Unicode, default

from sophon_hub import paths
from sophon_hub.amounts import Amount, limit_bytes, parse_bytes
from sophon_hub.settings.errors import BadSetting


class LabSettings(HasTraits):
    """The part of `Sophon` that spawner, worker and forms of labs read."""

    spawner = Enum(
        ["docker", "process"],
        default_value="docker",
        help="""How labs run: ``docker`` in containers; ``process`` as plain processes of the
        hub's own user, without any isolation: for a look on loopback only.""",
    ).tag(config=True)

    namespace = Unicode(
        "sophon",
        help="""Prefix of the containers, volumes and networks of this hub, and the value of
        their label ``org.sophon.namespace``. Two hubs on one engine need two namespaces.""",
    ).tag(config=True)

    images = Dict(
        help="""Lab images people may choose: name -> ``{"image": reference, "title": ...,
        "description": ..., "languages": [...]}``; what is left out is read from the image's
        labels. Default: all that ``make images`` has built for people, see
        images/README.md; read when the Hub starts. In the environment write JSON.""",
    ).tag(config=True)

    default_image = Unicode("lab", help="Name of the image new labs get.").tag(config=True)

    lessons_dir = Unicode(
        help="""Folder with the lessons that the portal shows to everybody, each a folder as
        ``make lessons`` writes it. Default: the lessons of the course image. An empty folder
        shows none.""",
    ).tag(config=True)

    cpu_limit = Float(2.0, help="Cores a lab may use unless it says otherwise.").tag(config=True)

    max_cpu_limit = Float(8.0, help="Most cores that may be set for a lab.").tag(config=True)

    memory_limit = Amount(
        "2G", help="Memory a lab may use unless it says otherwise, such as 512M or 2G."
    ).tag(config=True)

    max_memory_limit = Amount("8G", help="Most memory that may be set for a lab.").tag(config=True)

    pids_limit = Int(512, help="Most processes and threads in a lab.").tag(config=True)

    home_soft_quota = Amount(
        help="""What the home of a lab, or personal lab, may hold before its people are warned, such
        as 8G. Empty: nobody is warned.""",
    ).tag(config=True)

    home_hard_quota = Amount(
        help="""What the home of a lab, or personal lab, may hold before it is not started any more,
        except to clean up. A lab that runs is not stopped for it, and nothing is deleted. Empty:
        no limit.""",
    ).tag(config=True)

    home_stop_quota = Amount(
        help="""What the home of a lab that runs may hold before the lab is stopped, at least as
        much as `home_hard_quota`. Nothing is deleted. Looked at every `disk_check_minutes`.
        Empty: a lab that runs is not stopped for what its home holds.""",
    ).tag(config=True)

    disk_floor = Amount(
        "5G",
        help="""Room on the disk of the homes below which the lab whose home has been growing most
        is stopped, so that all others can go on; looked at every few seconds, every half minute
        where the engine is not on the worker's machine. Nothing is deleted. With 1, no lab is
        ever stopped for it.""",
    ).tag(config=True)

    disk_check_minutes = Int(
        15, min=1, help="Minutes between two looks at how much the home of a running lab holds."
    ).tag(config=True)

    history_minutes = Int(
        10,
        min=0,
        help="""Minutes of change after which a lab of a project keeps a version of a notebook that
        is open; it also keeps one when a notebook is opened and when the lab stops. With 0 none
        is kept. Takes effect when a lab starts.""",
    ).tag(config=True)

    history_versions = Int(
        100,
        min=1,
        help="""Most versions that a lab keeps of each notebook. Beyond that every second of the
        older half goes, so that the past becomes coarser the farther away it is.""",
    ).tag(config=True)

    history_size = Amount(
        "200M",
        help="""Most that all versions in a lab take together, packed; they are part of what its
        home holds. Beyond that they go as with `history_versions`.""",
    ).tag(config=True)

    dataset_roots = List(
        Unicode(),
        help="""Directories of this machine below which administrators may register datasets, such
        as ``["/srv/data"]``. Only administrators may be able to write to them. Default: none.""",
    ).tag(config=True)

    max_dataset_size = Amount(
        "20G", help="Most that may be published from a lab as one dataset."
    ).tag(config=True)

    max_material_size = Amount(
        "500M", help="Most that the course material of one project may hold."
    ).tag(config=True)

    material_ca_file = Unicode(
        help="""File on the hub's machine with certificates (PEM) of authorities that are trusted
        beside the usual ones when course material is fetched from git repositories, such as that
        of a campus with its own. Default: none.""",
    ).tag(config=True)

    start_timeout = Int(
        120, help="Seconds after which a lab that does not answer counts as failed."
    ).tag(config=True)

    stop_timeout = Int(
        9,
        help="""Seconds a lab has to end by itself before its container is killed; four more go to
        saving before.""",
    ).tag(config=True)

    lab_idle_minutes = Float(
        120,
        min=0,
        help="""Minutes without work after which a lab, or personal lab, is stopped. Work is what
        people edit, type or run; an open tab is none. Everything is saved first. 0: never.""",
    ).tag(config=True)

    lab_warning_minutes = Float(
        10,
        min=0,
        help="""Minutes before that in which people are warned inside the lab, where one click keeps
        it running.""",
    ).tag(config=True)

    lab_busy_hours = Float(
        24,
        min=0,
        help="""Hours without work after which a lab is stopped even though a kernel calculates, or
        a program runs in a terminal. Below it no such lab is stopped for `lab_idle_minutes`.
        0: never.""",
    ).tag(config=True)

    access_cache_seconds = Int(
        15,
        min=1,  # JupyterHub takes 0 for "for ever"
        help="""Seconds for which the portal may remember who somebody is, at least 1. Labs ask the
        Hub again every 4 seconds at the latest, also about those who are connected.""",
    ).tag(config=True)

    images_given: bool
    """Whether `images` was set, or is what the Hub finds when it starts."""

    def check_images(self) -> None:
        """Refuse images that say too little, and a default image that is none of them."""
        for name, image in self.images.items():
            if not (isinstance(image, dict) and isinstance(image.get("image"), str)):
                raise BadSetting(
                    f'The setting images needs {name!r} to be {{"image": reference, ...}}.'
                )
        # without the setting, the images are those that the Hub finds when it starts
        if self.images_given and self.default_image not in self.images:
            raise BadSetting(
                f"The setting default_image is {self.default_image!r}, which is not in images: "
                + ", ".join(sorted(self.images))
            )

    def check_quotas(self) -> None:
        """Refuse to stop labs that could be started again at once."""
        if not self.home_stop_quota:
            return
        hard = limit_bytes(self.home_hard_quota)
        if hard is None or parse_bytes(self.home_stop_quota) < hard:
            raise BadSetting(
                "The setting home_stop_quota needs home_hard_quota, and at least as much: else a"
                " lab that was stopped for it is started again."
            )

    @default("images")
    def _default_images(self) -> dict[str, Any]:
        return {
            "lab": {
                "image": "sophon-hub/lab:latest",
                "title": "JupyterLab",
                "description": "JupyterLab with real-time collaboration and Python.",
            }
        }

    @default("lessons_dir")
    def _default_lessons_dir(self) -> str:
        return str(paths.lessons())

    @property
    def memory_limit_bytes(self) -> int:
        """`memory_limit` in bytes."""
        return parse_bytes(self.memory_limit)

    @property
    def max_memory_limit_bytes(self) -> int:
        """`max_memory_limit` in bytes."""
        return parse_bytes(self.max_memory_limit)
