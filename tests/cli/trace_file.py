"""Reads a trace (src/programs/timeline/trace.h), and checks what must be true of every one."""

import json

TIMES = ("ph", "pid", "tid", "ts")


def read(path, whole=True):
    """Its events. One that was cut off ends behind an event, without the bracket."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    if not whole:
        text = text[:text.rindex("}") + 1] + "]" if "}" in text else "[]"
    return json.loads(text)


def runs(events):
    return [event for event in events if event["ph"] == "X" and event["cat"] == "run"]


def instants(events, name):
    return [event for event in events if event["ph"] == "i" and event["name"] == name]


def check_nesting(test, events):
    """Runs of one worker come one after the other, or lie within each other."""
    tracks = {}
    for event in runs(events):
        tracks.setdefault(event["tid"], []).append((round(event["ts"] * 1000),
                                                    round((event["ts"] + event["dur"]) * 1000)))
    for spans in tracks.values():
        open_ends = []
        for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_ends and open_ends[-1] <= begin:
                open_ends.pop()
            if open_ends:
                test.assertLessEqual(end, open_ends[-1] + 1)
            open_ends.append(end)


def check_waits(test, events):
    """Each span of waiting ends where the task's first run begins, and an arrow leads there."""
    begun, ended = {}, {}
    for event in events:
        if event.get("cat") == "wait":
            test.assertNotIn(event["id"], begun if event["ph"] == "b" else ended)
            (begun if event["ph"] == "b" else ended)[event["id"]] = event["ts"]
    first_runs = {str(run["args"]["task"]): run for run in runs(events) if run["args"]["attempt"] == 1}
    submits = {event["bind_id"]: event for event in events if event.get("cat") == "submit"}
    test.assertEqual(begun.keys(), ended.keys())
    test.assertLessEqual(first_runs.keys(), begun.keys())
    test.assertEqual(submits.keys(), begun.keys())
    for task, run in first_runs.items():
        test.assertEqual(run["ts"], ended[task])
        test.assertEqual(run["bind_id"], task)
        test.assertEqual(submits[task]["ts"], begun[task])
        test.assertLessEqual(begun[task], ended[task])


def check(test, events, workers, wall_seconds):
    test.assertEqual(events[0]["name"], "process_name")
    for event in events:
        test.assertTrue(event["ph"] == "M" or all(key in event for key in TIMES), event)
        test.assertTrue("ts" not in event or 0 <= event["ts"] <= wall_seconds * 1e6, event)
    attempts = [(run["args"]["task"], run["args"]["attempt"]) for run in runs(events)]
    test.assertEqual(len(attempts), len(set(attempts)), "one run an attempt")
    test.assertLessEqual(sum(run["dur"] for run in runs(events)), wall_seconds * 1e6 * workers)
    test.assertLessEqual({run["tid"] for run in runs(events)}, set(range(1, workers + 1)))
    check_nesting(test, events)
    check_waits(test, events)
