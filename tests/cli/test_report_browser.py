"""The page of a report in Chromium: it shows all that the data hold, obeys keys and mouse, fits every width, and nothing
complains. Without Chromium all of it is skipped, unless PRIMEPOOL_NEED_CHROMIUM is set, as it is nightly."""

import os
import unittest
import zlib

import chromium
from report_page import column
from reports import FOLDER, KINDS, data, path


def rows_of_png(file):
    """The lines of pixels as they are stored: a blank picture has hardly two that differ."""
    with open(file, "rb") as picture:
        content = picture.read()
    at, packed, height = 8, b"", int.from_bytes(content[20:24], "big")
    while at < len(content):
        length = int.from_bytes(content[at:at + 4], "big")
        if content[at + 4:at + 8] == b"IDAT":
            packed += content[at + 8:at + 8 + length]
        at += length + 12
    pixels = zlib.decompress(packed)
    size = len(pixels) // height
    return [pixels[at:at + size] for at in range(0, len(pixels), size)]


@unittest.skipUnless(chromium.PROGRAM or "PRIMEPOOL_NEED_CHROMIUM" in os.environ, "there is no Chromium")
class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = chromium.Chromium()
        cls.browser.__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def open(self, kind, width=1280, **how):
        self.browser.look(width, **how)
        seconds = self.browser.open(path(kind))
        self.check(kind)
        return seconds

    def check(self, what):
        """Nobody complains, nothing is asked for, and nothing sticks out at the side."""
        root = "document.documentElement"
        seen = self.browser.value(f"[{root}.scrollWidth - {root}.clientWidth, {root}.dataset.error, document.body.dataset.ready]")
        self.assertEqual(seen, [0, None, "true"], what)
        self.assertEqual(self.browser.complaints, [], what)
        self.assertEqual([url for url in self.browser.requests[1:] if not url.startswith("data:")], [], what)

    def number(self, name):
        return int(self.browser.value(f"document.body.dataset.{name}"))

    def text(self, id):
        return self.browser.value(f"document.getElementById('{id}').textContent")

    def figures(self):
        return self.browser.value("""Object.fromEntries([...document.querySelectorAll('#figures div')].map(
            figure => [figure.querySelector('dt').textContent, figure.querySelector('.value').textContent]))""")

    def test_every_page(self):
        for kind in KINDS:
            if kind != "many":
                self.open(kind, 1280)
                self.browser.look(360, dark=True, phone=True)
                self.check(f"{kind} on a phone")
                if data(kind)["runs"]["count"] and kind != "wide":
                    self.assertEqual(self.number("barRuns"), data(kind)["runs"]["count"], kind)
        self.open("hostile")
        self.assertEqual(self.browser.value("document.scripts.length"), 2)
        self.assertEqual(self.browser.value("document.images.length"), 0)

    def test_template(self):
        """As a web developer opens it: with the sample."""
        self.browser.look(1280)
        self.browser.open(os.path.join(os.path.dirname(__file__), "../../src/programs/timeline/report.html"))
        self.check("the template")
        self.assertEqual((self.number("runs"), self.number("bars")), (7, 7))

    def test_bars(self):
        """One for each run, as long as the run."""
        for kind in ("flags_ordered", "flags_completed"):
            self.open(kind)
            found = data(kind)
            bars = self.browser.value("""[...document.querySelectorAll('#bars .bar')].map(
                bar => [+bar.dataset.run, bar.width.baseVal.value])""")
            self.assertEqual(sorted(run for run, _ in bars), list(range(found["runs"]["count"])))
            room = self.browser.value("document.getElementById('bars').clientWidth")
            for run, width in bars:
                share = (found["runs"]["ended"][run] - found["runs"]["begun"][run]) / found["wall"]
                self.assertAlmostEqual(width / room, share, delta=0.12 * share + 0.003)
        self.open("failures")
        kinds = {kind: self.browser.value(f"document.querySelectorAll('#bars .bar.{kind}').length")
                 for kind in ("again", "error", "late", "died")}
        self.assertEqual(kinds, {"again": 2, "error": 1, "late": 1, "died": 3})
        self.assertEqual(self.browser.value("document.querySelectorAll('#bars .death').length"), 3)

    def test_many_tracks(self):
        self.open("wide")
        seen = self.number("barRuns")
        self.assertLess(seen, 450)  # only what is visible is drawn
        self.browser.do("document.getElementById('tracks').scrollTop = 1e6")
        names = self.browser.value("[...document.querySelectorAll('#bars text')].map(text => text.textContent)")
        self.assertIn("connection 299", names)
        self.check("wide")

    def test_words(self):
        self.open("flags_ordered")
        self.assertRegex(self.text("order-text"), r"was ready at 0\.\d+\u00a0s and was handed out at 0\.\d+\u00a0s, behind CN\.")
        self.assertEqual(self.text("title"), "flags_threadpool")
        self.assertIn("4 more threads may wait", self.text("why"))
        figures = self.figures()
        self.assertEqual((figures["Tasks"], figures["Retries"], figures["Deaths"]), ("20", "1", "0"))
        self.open("flags_completed")
        self.assertIn("none waits for another", self.text("order-text"))
        self.open("failures")
        self.assertIn("killed by signal 9 (SIGKILL)", self.text("failures"))
        self.assertIn("exited with status 3", self.text("deaths"))
        self.assertIn("5 runs of 22 failed, 2 runs were retries, 3 processes died.", self.text("failures-text"))
        self.open("left_out")
        self.assertIn("13 runs more are left out", self.text("notices"))
        self.open("open")
        self.assertIn("2 runs had not ended", self.text("notices"))
        self.open("empty")
        self.assertIn("No task has run.", self.text("lead"))

    def test_bound(self):
        """The wall time is no shorter than the longest run, nor than the runs shared out evenly."""
        for kind in ("primes", "failures", "flags_ordered", "wide", "blocks"):
            self.open(kind)
            found, runs = data(kind), data(kind)["runs"]
            times = [ended - begun for begun, ended in zip(column(runs, "begun"), column(runs, "ended"))]
            total, longest, bound, by_list = self.browser.value(
                "[schedule.sum, schedule.longestTime, schedule.bound, schedule.list]")
            self.assertEqual((total, longest), (sum(times), max(times)))
            self.assertEqual(bound, max(max(times), sum(times) / found["workers"]))
            self.assertLessEqual(bound, by_list)
            self.assertLessEqual(by_list, sum(times) / found["workers"] + max(times))
            self.assertLessEqual(bound, found["wall"])

    def test_transfers(self):
        """Wait, first byte, body, one behind the other."""
        self.open("flags_completed", 1280)
        self.assertEqual(self.text("rows-heading"), "The way of each transfer")
        rows = self.browser.value("""[...document.querySelectorAll('.row')].map(row => [...row.querySelectorAll('.part')].map(
            part => [part.className, parseFloat(part.style.left), parseFloat(part.style.width)]))""")
        self.assertEqual(len(rows), 20)
        queued = 0
        for parts in rows:
            kinds = [kind.split()[1] for kind, _, _ in parts]
            self.assertIn([kind for kind in kinds if kind not in ("queue", "taken")], (["first", "ok"], ["late"], ["error", "again"]))
            queued += kinds[0] == "queue"
            for (_, left, width), (_, next_left, _) in zip(parts, parts[1:]):
                self.assertAlmostEqual(left + width, next_left, delta=0.11)
        self.assertEqual(queued, 15)  # all but those that the five connections begin with

    def test_keys(self):
        self.open("failures")
        self.browser.do("document.getElementById('timeline').focus()")
        self.browser.press("ArrowRight")
        first = self.text("said")
        self.assertIn("process 0; attempt 1", first)
        self.browser.press("ArrowRight")
        second = self.text("said")
        self.assertNotEqual(first, second)
        self.browser.press("ArrowLeft")
        self.assertEqual(self.text("said"), first)
        self.browser.press("ArrowDown")
        self.assertIn("process 1", self.text("said"))
        self.browser.press("f")
        self.assertIn("ending timed out", self.text("said"))
        self.assertFalse(self.browser.value("document.getElementById('tip').hidden"))
        self.assertIn("timed out", self.text("tip"))
        whole = self.browser.value("view.to - view.from")
        self.browser.press("+")
        self.assertAlmostEqual(self.browser.value("view.to - view.from"), whole / 2, delta=whole / 1000)
        before = self.browser.value("view.from")
        self.browser.press("ArrowRight", shift=True)
        self.assertGreater(self.browser.value("view.from"), before)
        self.browser.press("0")
        self.assertEqual(self.browser.value("view.to - view.from"), whole)
        self.browser.press("Escape")
        self.assertTrue(self.browser.value("document.getElementById('tip').hidden"))
        self.check("failures")

    def test_mouse(self):
        self.open("failures")
        self.browser.do("document.getElementById('timeline').scrollIntoView()")
        x, y = self.browser.value("(({x, y}) => [x + 30, y + 8])(document.querySelector('#bars .bar').getBoundingClientRect())")
        self.browser.mouse("mouseMoved", x, y)
        self.assertIn("attempt", self.text("tip"))
        whole = self.browser.value("view.to - view.from")
        self.browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100)
        self.assertEqual(self.browser.value("view.to - view.from"), whole)  # a plain wheel scrolls the page
        x, y = self.browser.value("(({x, y}) => [x + 30, y + 8])(document.querySelector('#bars .bar').getBoundingClientRect())")
        self.browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
        zoomed = self.browser.value("view.to - view.from")
        self.assertLess(zoomed, whole)
        before = self.browser.value("view.from")
        x, y = self.browser.value("(({x, y}) => [x + 600, y + 12])(document.getElementById('tracks').getBoundingClientRect())")
        self.browser.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        for step in range(1, 5):
            self.browser.mouse("mouseMoved", x - 20 * step, y, button="left", buttons=1)
        self.browser.mouse("mouseReleased", x - 80, y, button="left")
        self.assertGreater(self.browser.value("view.from"), before)
        self.browser.do("document.querySelector('[data-do=all]').click()")
        self.assertEqual(self.browser.value("view.to - view.from"), whole)
        self.check("failures")

    def test_many(self):
        """A hundred thousand runs are there within seconds, and no drawing has more elements than it has pixels."""
        self.assertLess(self.open("many"), 20)
        self.assertEqual((self.number("runs"), self.number("barRuns")), (100000, 100000))
        slowest = 0
        for do in ("ACTIONS.in()", "ACTIONS.in()", "choose(50000, true)", "chooseBeside(1)", "ACTIONS.out()", "ACTIONS.all()"):
            took = f"(begun => {{ {do}; draw(); return performance.now() - begun; }})(performance.now())"
            slowest = max(slowest, self.browser.value(took))
            self.assertLess(self.browser.value("document.querySelectorAll('*').length"), 9000)
        self.assertLess(slowest, 2000)  # milliseconds, on a busy machine
        self.browser.do("choose(50000, true)")
        runs, results = data("many")["runs"], data("many")["results"]
        self.assertTrue(self.text("said").startswith(f"{results['label'][runs['item'][50000]]}: ending well"))
        self.browser.do("document.getElementById('rows').scrollTop = 1e9")
        self.assertIn(results["label"][-1], self.text("rows"))
        self.browser.look(390, phone=True)
        self.check("many on a phone")

    def test_pictures(self):
        """At both widths, light and dark, and on paper."""
        backgrounds = set()
        for width in (1280, 390):
            for dark in (False, True):
                self.open("failures", width, dark=dark, phone=width == 390)
                picture = os.path.join(FOLDER.name, f"{width}{dark}.png")
                self.browser.screenshot(picture)
                self.assertGreater(len(set(rows_of_png(picture))), 200)
                backgrounds.add(self.browser.value("getComputedStyle(document.body).backgroundColor"))
                os.remove(picture)
        self.assertEqual(len(backgrounds), 2)
        paper = os.path.join(FOLDER.name, "paper.pdf")
        self.browser.pdf(paper)
        with open(paper, "rb") as file:
            self.assertTrue(file.read().startswith(b"%PDF"))
        os.remove(paper)
        self.check("failures, printed")

    def test_names(self):
        """Whatever can be reached by keyboard, and each drawing, has a name."""
        self.open("failures")
        self.browser.call("Accessibility.enable")
        nodes = self.browser.call("Accessibility.getFullAXTree")["nodes"]
        self.browser.call("Accessibility.disable")
        named = 0
        for node in nodes:
            focusable = any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", []))
            role = node.get("role", {}).get("value")
            if not node.get("ignored") and (focusable and role != "RootWebArea" or role == "image"):
                self.assertTrue(node.get("name", {}).get("value"), node)
                named += 1
        self.assertGreater(named, 10)


if __name__ == "__main__":
    unittest.main()
