"""The stand-in as a whole: what a restart keeps, and what its person can do."""

from pathlib import Path

from bot.local.rows import Issue
from bot.local.server import LocalGitHub
from tests.local.conftest import LAB, Receiver, World, end_world, make_world


def test_a_restart_on_the_same_folder_goes_on(tmp_path: Path, receiver: Receiver) -> None:
    world = make_world(tmp_path, receiver)
    first = world.you.open_issue("Before", labels=("experiment",))
    head = world.you.edit_file("notes.md", "Kept\n")
    token, app = world.local.create_user("you"), world.app
    end_world(world)
    world = make_world(tmp_path, receiver)
    assert (world.app, world.local.create_user("you")) == (app, token)
    assert world.you.issue(first["number"])["id"] == first["id"]
    assert world.you.ref("heads/main") == head
    second = world.you.open_issue("After")
    assert (second["number"], second["id"] > first["id"]) == (first["number"] + 1, True)
    end_world(world)


def test_the_address_can_be_kept(tmp_path: Path) -> None:
    first = LocalGitHub(tmp_path)
    first.start()
    first.stop()
    second = LocalGitHub(tmp_path, port=first.port)
    second.start()
    second.stop()
    assert second.url == first.url


def test_a_form_sets_its_labels_in_the_name_of_whoever_fills_it_in(world: World) -> None:
    world.local.create_user("stranger")
    hub = world.local.hub
    repo = hub.accounts.repository("you", "lab")
    if hub.issues.find_label(repo, "experiment") is None:
        hub.issues.create_label(repo, actor=hub.accounts.actor("you"), name="experiment")
    issue = hub.issues.open(
        repo, actor=hub.accounts.actor("stranger"), title="Mine", labels=("experiment", "unknown"), by_form=True
    )
    assert issue.labels == ("experiment",)
    assert [event.actor for event in hub.issues.timeline(repo, issue.number)] == ["stranger"]


def test_an_edit_is_remembered_with_its_editor(world: World) -> None:
    number = world.you.open_issue("Edited", "First")["number"]
    world.you.edit_issue(number, body="Second")
    [row] = world.local.store.all(Issue, number=number)
    assert (row.body, row.edited_by) == ("Second", "you")


def test_a_person_reads_what_the_bot_sees(world: World) -> None:
    world.branch("seen", {"seen/a.txt": "1", "seen/b/c.txt": "2"})
    assert world.you.list_files("seen", ref="seen") == ["seen/a.txt", "seen/b/c.txt"]
    assert world.you.read_file("seen/b/c.txt", ref="seen") == "2"
    assert world.you.read_file("nowhere.txt") is None
    pull = world.you.open_pull("Seen", head="seen")
    assert [file["filename"] for file in world.you.files(pull["number"])] == ["seen/a.txt", "seen/b/c.txt"]
    assert LAB in world.you.pull(pull["number"])["html_url"]
