"""deploy/sophon-hub.service: systemd understands all of it, and the hub it starts is ours."""

import configparser
import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "sophon-hub.service"
HERE = str(Path(sys.executable).parent)


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/opt/sophon-hub/bin/", f"{HERE}/")
    unit.write_text(text)
    good = verify(unit)
    assert (good.returncode, good.stderr) == (0, "")

    unit.write_text(text.replace("NoNewPrivileges=", "NoNewPriviledges="))
    assert "NoNewPriviledges" in verify(unit).stderr


def test_the_service_migrates_starts_the_hub_and_has_no_rights_to_gain() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    service = parser["Service"]
    for step in ("ExecStartPre", "ExecStart"):
        assert (Path(HERE) / Path(service[step].split()[0]).name).exists()
    assert service["ExecStartPre"].endswith(" migrate")
    assert service["User"] not in ("", "root")
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""


def test_the_hub_is_told_which_file_holds_its_settings() -> None:
    lines = UNIT.read_text().splitlines()
    (file,) = [line.partition("=-")[2] for line in lines if line.startswith("EnvironmentFile=")]
    assert f"Environment=SOPHON_ENVIRONMENT_FILE={file}" in lines
