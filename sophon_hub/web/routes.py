"""The one table of addresses, below the portal's prefix: pattern, handler, name.

Handlers are named by their import path, which Tornado resolves; so this module can be read by
those below pages and API, and by the tests that walk over every route.
"""

SLUG = "([a-z0-9-]{1,64})"
USERNAME = "([^/]{1,600})"

_GROUP = f"api/v1/groups/{SLUG}"
_PROJECT = f"api/v1/projects/{SLUG}"
_LAB = f"{_PROJECT}/labs/{SLUG}"
_HISTORY = f"{_LAB}/history"
_MATERIAL = f"{_PROJECT}/material"
_DATASET = f"api/v1/datasets/{SLUG}"
_MY_LAB = "api/v1/me/lab"

API_ROUTES = [
    ("api/v1/instance", "sophon_hub.api.instance.InstanceAPI", "api-instance"),
    ("api/v1/me", "sophon_hub.api.instance.MeAPI", "api-me"),
    (_MY_LAB, "sophon_hub.api.personal.OwnLabAPI", "api-my-lab"),
    (f"{_MY_LAB}/start", "sophon_hub.api.personal.OwnLabStartAPI", "api-my-lab-start"),
    (f"{_MY_LAB}/stop", "sophon_hub.api.personal.OwnLabStopAPI", "api-my-lab-stop"),
    (f"{_MY_LAB}/keep", "sophon_hub.api.personal.OwnLabKeepAPI", "api-my-lab-keep"),
    (f"{_MY_LAB}/progress", "sophon_hub.api.personal.OwnLabProgressAPI", "api-my-lab-progress"),
    (
        f"{_MY_LAB}/empty-trash",
        "sophon_hub.api.personal.OwnLabEmptyTrashAPI",
        "api-my-lab-empty-trash",
    ),
    ("api/v1/me/entries", "sophon_hub.api.events.EntriesAPI", "api-my-entries"),
    ("api/v1/events", "sophon_hub.api.events.EventsAPI", "api-events"),
    ("api/v1/users", "sophon_hub.api.instance.UsersAPI", "api-users"),
    ("api/v1/images", "sophon_hub.api.instance.ImagesAPI", "api-images"),
    ("api/v1/temporary", "sophon_hub.api.temporary.TemporaryAPI", "api-temporary"),
    ("api/v1/temporary/visit", "sophon_hub.api.temporary.VisitAPI", "api-temporary-visit"),
    ("api/v1/temporary/visit/keep", "sophon_hub.api.temporary.KeepAPI", "api-temporary-keep"),
    ("api/v1/health", "sophon_hub.api.instance.HealthAPI", "api-health"),
    ("api/v1/metrics", "sophon_hub.api.metrics.MetricsAPI", "api-metrics"),
    ("api/v1/openapi.json", "sophon_hub.api.instance.OpenApiAPI", "api-openapi"),
    ("api/v1/groups", "sophon_hub.api.groups.GroupsAPI", "api-groups"),
    (_GROUP, "sophon_hub.api.groups.GroupAPI", "api-group"),
    (f"{_GROUP}/restore", "sophon_hub.api.groups.GroupRestoreAPI", "api-group-restore"),
    (f"{_GROUP}/preview", "sophon_hub.api.preview.GroupPreviewAPI", "api-group-preview"),
    (f"{_GROUP}/purge", "sophon_hub.api.groups.GroupPurgeAPI", "api-group-purge"),
    (f"{_GROUP}/join", "sophon_hub.api.groups.GroupJoinAPI", "api-group-join"),
    (f"{_GROUP}/leave", "sophon_hub.api.groups.GroupLeaveAPI", "api-group-leave"),
    (f"{_GROUP}/members", "sophon_hub.api.groups.MembersAPI", "api-members"),
    (f"{_GROUP}/members/{USERNAME}", "sophon_hub.api.groups.MemberAPI", "api-member"),
    (
        f"{_GROUP}/members/{USERNAME}/preview",
        "sophon_hub.api.preview.MemberPreviewAPI",
        "api-member-preview",
    ),
    (f"{_GROUP}/requests", "sophon_hub.api.groups.RequestsAPI", "api-requests"),
    (f"{_GROUP}/requests/{USERNAME}", "sophon_hub.api.groups.RequestAPI", "api-request"),
    (
        f"{_GROUP}/requests/{USERNAME}/approve",
        "sophon_hub.api.groups.RequestApproveAPI",
        "api-request-approve",
    ),
    (
        f"{_GROUP}/requests/{USERNAME}/decline",
        "sophon_hub.api.groups.RequestDeclineAPI",
        "api-request-decline",
    ),
    (f"{_GROUP}/events", "sophon_hub.api.groups.GroupEventsAPI", "api-group-events"),
    ("api/v1/projects", "sophon_hub.api.projects.ProjectsAPI", "api-projects"),
    (_PROJECT, "sophon_hub.api.projects.ProjectAPI", "api-project"),
    (f"{_PROJECT}/restore", "sophon_hub.api.projects.ProjectRestoreAPI", "api-project-restore"),
    (f"{_PROJECT}/preview", "sophon_hub.api.preview.ProjectPreviewAPI", "api-project-preview"),
    (f"{_PROJECT}/purge", "sophon_hub.api.projects.ProjectPurgeAPI", "api-project-purge"),
    (f"{_PROJECT}/explain", "sophon_hub.api.projects.ProjectExplainAPI", "api-project-explain"),
    (f"{_PROJECT}/events", "sophon_hub.api.projects.ProjectEventsAPI", "api-project-events"),
    (_MATERIAL, "sophon_hub.api.materials.MaterialAPI", "api-material"),
    (f"{_MATERIAL}/publish", "sophon_hub.api.materials.MaterialPublishAPI", "api-material-publish"),
    (f"{_MATERIAL}/delivery", "sophon_hub.api.materials.DeliveryAPI", "api-material-delivery"),
    (f"{_MATERIAL}/delivery/fresh", "sophon_hub.api.materials.FreshCopyAPI", "api-material-fresh"),
    (f"{_MATERIAL}/delivery/undo", "sophon_hub.api.materials.DeliveryUndoAPI", "api-material-undo"),
    (f"{_PROJECT}/labs", "sophon_hub.api.labs.LabsAPI", "api-labs"),
    (_LAB, "sophon_hub.api.labs.LabAPI", "api-lab"),
    (f"{_LAB}/start", "sophon_hub.api.labs.LabStartAPI", "api-lab-start"),
    (f"{_LAB}/empty-trash", "sophon_hub.api.labs.LabEmptyTrashAPI", "api-lab-empty-trash"),
    (f"{_LAB}/stop", "sophon_hub.api.labs.LabStopAPI", "api-lab-stop"),
    (f"{_LAB}/keep", "sophon_hub.api.labs.LabKeepAPI", "api-lab-keep"),
    (f"{_LAB}/progress", "sophon_hub.api.labs.LabProgressAPI", "api-lab-progress"),
    (f"{_LAB}/open", "sophon_hub.api.labs.LabOpenAPI", "api-lab-open"),
    (f"{_LAB}/lock", "sophon_hub.api.labs.LabLockAPI", "api-lab-lock"),
    (f"{_LAB}/unlock", "sophon_hub.api.labs.LabUnlockAPI", "api-lab-unlock"),
    (f"{_LAB}/restore", "sophon_hub.api.labs.LabRestoreAPI", "api-lab-restore"),
    (_HISTORY, "sophon_hub.api.history.HistoryAPI", "api-lab-history"),
    (
        f"{_HISTORY}/{SLUG}/restore",
        "sophon_hub.api.history.RestoreVersionAPI",
        "api-lab-history-restore",
    ),
    (
        f"{_HISTORY}/{SLUG}/since/{SLUG}",
        "sophon_hub.api.history.ChangesAPI",
        "api-lab-history-changes",
    ),
    (f"{_MY_LAB}/lessons/{SLUG}", "sophon_hub.api.personal.OwnLessonAPI", "api-my-lab-lesson"),
    (f"{_LAB}/purge", "sophon_hub.api.labs.LabPurgeAPI", "api-lab-purge"),
    (f"{_LAB}/publish", "sophon_hub.api.datasets.LabPublishAPI", "api-lab-publish"),
    (f"{_LAB}/datasets/{SLUG}", "sophon_hub.api.datasets.LabDatasetAPI", "api-lab-dataset"),
    (f"{_MY_LAB}/datasets/{SLUG}", "sophon_hub.api.datasets.OwnDatasetAPI", "api-my-lab-dataset"),
    ("api/v1/datasets", "sophon_hub.api.datasets.DatasetsAPI", "api-datasets"),
    (_DATASET, "sophon_hub.api.datasets.DatasetAPI", "api-dataset"),
    (f"{_DATASET}/restore", "sophon_hub.api.datasets.DatasetRestoreAPI", "api-dataset-restore"),
    (f"{_DATASET}/preview", "sophon_hub.api.preview.DatasetPreviewAPI", "api-dataset-preview"),
    (f"{_DATASET}/purge", "sophon_hub.api.datasets.DatasetPurgeAPI", "api-dataset-purge"),
    (f"{_DATASET}/verify", "sophon_hub.api.datasets.DatasetVerifyAPI", "api-dataset-verify"),
    (f"{_DATASET}/refresh", "sophon_hub.api.datasets.DatasetRefreshAPI", "api-dataset-refresh"),
    (f"{_DATASET}/manifest", "sophon_hub.api.datasets.ManifestAPI", "api-dataset-manifest"),
    ("api/.*", "sophon_hub.api.base.UnknownAddress", "api-unknown"),
]

_PAGES = "sophon_hub.pages"
_GROUP_PAGE = f"groups/{SLUG}"
_PROJECT_PAGE = f"projects/{SLUG}"
_LAB_PAGE = f"{_PROJECT_PAGE}/labs/{SLUG}"

# what is called "new" comes before what has a slug; slugs of that name are reserved
PAGE_ROUTES: list[tuple[str, str, str]] = [
    ("", f"{_PAGES}.home.HomePage", "home"),
    ("login", f"{_PAGES}.signin.LoginPage", "login"),
    ("logout", f"{_PAGES}.signin.LogoutPage", "logout"),
    ("oauth_callback", f"{_PAGES}.signin.OAuthCallback", "oauth-callback"),
    ("try", f"{_PAGES}.temporary.TryPage", "try"),
    ("settings", f"{_PAGES}.home.SettingsPage", "settings"),
    ("trash", f"{_PAGES}.home.TrashPage", "trash"),
    ("events", f"{_PAGES}.hub_events.HubEventsPage", "hub-events"),
    ("entries", f"{_PAGES}.hub_events.EntriesPage", "entries"),
    ("lab", f"{_PAGES}.personal.OwnLabPage", "my-lab"),
    ("lab/start", f"{_PAGES}.personal.StartOwnLabPage", "my-lab-start"),
    ("lab/datasets", f"{_PAGES}.dataset_use.OwnDatasetsPage", "my-lab-datasets"),
    ("datasets", f"{_PAGES}.datasets.DatasetsPage", "datasets"),
    ("datasets/new", f"{_PAGES}.datasets.NewDatasetPage", "dataset-new"),
    (f"datasets/{SLUG}", f"{_PAGES}.datasets.DatasetPage", "dataset"),
    (f"datasets/{SLUG}/purge", f"{_PAGES}.purge.PurgeDatasetPage", "dataset-purge"),
    (f"datasets/{SLUG}/edit", f"{_PAGES}.datasets.EditDatasetPage", "dataset-edit"),
    ("groups", f"{_PAGES}.groups.GroupsPage", "groups"),
    ("groups/new", f"{_PAGES}.groups.NewGroupPage", "group-new"),
    (_GROUP_PAGE, f"{_PAGES}.groups.GroupPage", "group"),
    (f"{_GROUP_PAGE}/edit", f"{_PAGES}.groups.EditGroupPage", "group-edit"),
    (f"{_GROUP_PAGE}/delete", f"{_PAGES}.groups.DeleteGroupPage", "group-delete"),
    (f"{_GROUP_PAGE}/purge", f"{_PAGES}.purge.PurgeGroupPage", "group-purge"),
    (f"{_GROUP_PAGE}/people", f"{_PAGES}.people.PeoplePage", "group-people"),
    (f"{_GROUP_PAGE}/requests", f"{_PAGES}.people.RequestsPage", "group-requests"),
    (f"{_GROUP_PAGE}/events", f"{_PAGES}.events.GroupEventsPage", "group-events"),
    ("lessons", f"{_PAGES}.lessons.LessonsPage", "lessons"),
    (f"lessons/{SLUG}", f"{_PAGES}.lessons.LessonPage", "lesson"),
    ("projects", f"{_PAGES}.projects.ProjectsPage", "projects"),
    ("projects/new", f"{_PAGES}.projects.NewProjectPage", "project-new"),
    (_PROJECT_PAGE, f"{_PAGES}.projects.ProjectPage", "project"),
    (f"{_PROJECT_PAGE}/edit", f"{_PAGES}.project_edit.EditProjectPage", "project-edit"),
    (f"{_PROJECT_PAGE}/delete", f"{_PAGES}.projects.DeleteProjectPage", "project-delete"),
    (f"{_PROJECT_PAGE}/purge", f"{_PAGES}.purge.PurgeProjectPage", "project-purge"),
    (f"{_PROJECT_PAGE}/trash", f"{_PAGES}.projects.ProjectTrashPage", "project-trash"),
    (f"{_PROJECT_PAGE}/explain", f"{_PAGES}.explanations.ExplainPage", "project-explain"),
    (f"{_PROJECT_PAGE}/events", f"{_PAGES}.events.ProjectEventsPage", "project-events"),
    (f"{_PROJECT_PAGE}/material", f"{_PAGES}.materials.MaterialPage", "material"),
    (f"{_PROJECT_PAGE}/material/edit", f"{_PAGES}.materials.EditMaterialPage", "material-edit"),
    (f"{_PROJECT_PAGE}/labs/new", f"{_PAGES}.labs.NewLabPage", "lab-new"),
    (_LAB_PAGE, f"{_PAGES}.labs.LabPage", "lab"),
    (f"{_LAB_PAGE}/edit", f"{_PAGES}.labs.EditLabPage", "lab-edit"),
    (f"{_LAB_PAGE}/history", f"{_PAGES}.history.HistoryPage", "lab-history"),
    (
        f"{_LAB_PAGE}/history/{SLUG}/since/{SLUG}",
        f"{_PAGES}.history.ChangesPage",
        "lab-history-changes",
    ),
    (f"{_LAB_PAGE}/start", f"{_PAGES}.labs.StartLabPage", "lab-start"),
    (f"{_LAB_PAGE}/datasets", f"{_PAGES}.dataset_use.LabDatasetsPage", "lab-datasets"),
    (f"{_LAB_PAGE}/publish", f"{_PAGES}.dataset_use.PublishPage", "lab-publish"),
    (f"{_LAB_PAGE}/purge", f"{_PAGES}.purge.PurgeLabPage", "lab-purge"),
    (f"{_LAB_PAGE}/delete", f"{_PAGES}.labs.DeleteLabPage", "lab-delete"),
]

FILE_ROUTES = [
    (f"lessons/{SLUG}/([0-9]{{1,3}}\\.png)", f"{_PAGES}.lessons.LessonPicture", "lesson-picture"),
]
"""What pages show and is no page."""

NOT_FOUND = f"{_PAGES}.signin.NothingHere"
"""The page for every address that is in no table."""

METRICS = ("metrics", "sophon_hub.api.metrics.MetricsAPI", "metrics")
"""Where one looks for metrics first; the same as in the API."""

ROUTES = [*API_ROUTES, METRICS, *FILE_ROUTES, *PAGE_ROUTES]
