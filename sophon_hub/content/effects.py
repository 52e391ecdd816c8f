"""What a change would hide, as a sentence."""


def effect_sentence(
    hidden: dict[str, int],
    people: int,
    running_labs: int,
    *,
    guests: bool,
    leaving: int = 0,
    coming: int = 0,
) -> str:
    """Such as: Hides 3 projects from 41 people. Stops 2 running labs.

    Args:
        hidden: how many things of each noun.
        people: how many with an account lose sight of some of them.
        running_labs: how many labs would be stopped.
        guests: whether everybody without an account loses sight of some.
        leaving: how many people would no longer get into the labs.
        coming: how many would get into the labs.
    """
    things = _listed([_counted(number, noun) for noun, number in hidden.items() if number])
    whom = [_counted(people, "person", "people")] if people else []
    whom += ["everybody without an account"] if guests else []
    said = [f"Hides {things} from {_listed(whom)}."] if things else []
    for number, one, more in ((leaving, "loses", "lose"), (coming, "gets", "get")):
        if number:
            verb = one if number == 1 else more
            said.append(f"{_counted(number, 'person', 'people')} {verb} access to its labs.")
    if not said:
        said.append("Hides nothing from anybody.")
    if running_labs:
        said.append(f"Stops {_counted(running_labs, 'running lab')}.")
    return " ".join(said)


def _counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _listed(parts: list[str]) -> str:
    *most, last = parts or [""]
    return f"{', '.join(most)} and {last}" if most else last
