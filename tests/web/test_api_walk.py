"""The main job through the REST API, from an empty hub to a lab that is asked to start."""


async def test_a_group_a_project_and_a_lab_are_made_and_a_stranger_sees_nothing(site):
    ada, grace, barbara, guest = (site.client(name) for name in ("ada", "grace", "barbara", None))

    created = await ada.post("api/v1/groups", {"name": "Analysis", "access": "open"})
    assert created.status == 201, created.text
    assert created.json["slug"] == "analysis"
    assert created.json["role"] == "owner"

    project = {"group": "analysis", "name": "Bernoulli numbers", "visibility": "private"}
    created = await ada.post("api/v1/projects", project)
    assert created.status == 201, created.text
    assert (
        await ada.post("api/v1/projects/bernoulli-numbers/labs", {"name": "Main"})
    ).status == 201

    lab = "api/v1/projects/bernoulli-numbers/labs/main"
    for stranger in (barbara, guest):
        for path in ("api/v1/projects/bernoulli-numbers", lab):
            hidden, missing = await stranger.get(path), await stranger.get(path + "x")
            assert hidden.status == 404
            assert hidden.text == missing.text

    assert (await grace.post("api/v1/groups/analysis/join")).status == 200
    started = await grace.post(f"{lab}/start")
    assert started.status == 202
    assert started.json["state"] == "starting"
    assert (await grace.post(f"{lab}/start")).status == 200

    events = await ada.get("api/v1/groups/analysis/events")
    assert [event["action"] for event in events.json["items"]] == [
        "lab:start",
        "group:join",
        "lab:create",
        "project:create",
        "group:create",
    ]
