"""What the words of a report or register mean, for those who read it; docs/statistics.md says it in full."""

from __future__ import annotations

DEFINITIONS = (
    ("Face seen", "One track of a face that was good enough to compare. A person who passes twice is seen twice."),
    ("Alert", "The system proposed that a face is a listed person. Every alert is decided by a person."),
    ("True alert, false alert", "What the person who looked at the alert decided, before anybody was spoken to."),
    ("Confirmed true, confirmed false", "What came of speaking to the person after a true alert."),
    ("Unconfirmed", "A true alert after which nobody was spoken to."),
    ("Cannot tell", "People looked, and the pictures did not tell. Nobody is stopped on that."),
    ("Expired", "Nobody decided while the alert was worth acting on: the person had long passed."),
    ("Unreviewed", "Nobody decided before the alert's pictures had to be destroyed."),
    ("Escalated", "Nobody took the alert in time, and those in charge were told, whatever became of it then."),
    (
        "False alert rate",
        "False alerts and confirmed false alerts, over faces seen and over alerts: both denominators are given, for "
        "neither alone says how often people were troubled wrongly. Alerts that are pending, undecided, expired or "
        "unreviewed are not counted as false.",
    ),
    (
        "95 % interval",
        "Where the true rate may well lie, given how little or how much was seen (Clopper and Pearson's exact "
        "interval). No false alert among few faces does not prove a low rate, and the interval says so.",
    ),
    (
        "Response times",
        "From the alert to a person's decision, and from that to the record of the engagement: the median, the time "
        "within which nine of ten were done, and the longest.",
    ),
)
