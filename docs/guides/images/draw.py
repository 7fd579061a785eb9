"""The guides' drawings. `python3 docs/guides/images/draw.py` writes them beside itself; a directory as argument is written instead.

Colours are plain attributes, for programs that know no style sheets; browsers in dark mode take the others.
"""

import pathlib
import sys
from xml.sax.saxutils import escape

# Of each kind of shape: fill and stroke, light and dark.
KINDS = {
    "page": ("#ffffff", "none", "#0d1117", "none"),
    "group": ("#f6f8fa", "#8c959f", "#161b22", "#6e7681"),
    "plain": ("#ffffff", "#57606a", "#21262d", "#8b949e"),
    "tenant": ("#ddf4ff", "#0969da", "#0c2d4a", "#58a6ff"),
    "guard": ("#dafbe1", "#1a7f37", "#0f2f1b", "#3fb950"),
    "danger": ("#ffebe9", "#cf222e", "#3d1418", "#f85149"),
    "wait": ("#fff8c5", "#9a6700", "#3a2d08", "#d29922"),
}
TEXT = ("#1f2328", "#e6edf3")
LINE = ("#57606a", "#8b949e")


class Drawing:
    def __init__(self, name, title, width, height):
        self.name, self.title, self.width, self.height = name, title, width, height
        self.shapes = []
        self.rect("page", 0, 0, width, height, 0)

    def rect(self, kind, x, y, width, height, round_=6, dashed=False):
        fill, stroke, _, _ = KINDS[kind]
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.shapes.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{round_}" '
            f'fill="{fill}" stroke="{stroke}"{dash}/>'
        )

    def text(self, x, y, line, size=13, bold=False, anchor="start"):
        weight = ' font-weight="bold"' if bold else ""
        self.shapes.append(
            f'<text class="text" x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}"{weight} fill="{TEXT[0]}">{escape(line)}</text>'
        )

    def box(self, kind, x, y, width, height, *lines, dashed=False):
        """A rectangle with its lines in the middle, the first of them bold."""
        self.rect(kind, x, y, width, height, dashed=dashed)
        top = y + height / 2 - (len(lines) - 1) * 8 + 4.5
        for at, line in enumerate(lines):
            self.text(x + width / 2, top + at * 16, line, 13 if at == 0 else 12, at == 0, "middle")

    def group(self, x, y, width, height, title, dashed=False):
        """A rectangle around others, with a title at its top."""
        self.rect("group", x, y, width, height, 10, dashed)
        self.text(x + 12, y + 20, title, 13, True)

    def arrow(self, *points, label=None, at=None, anchor="middle"):
        path = " L ".join(f"{x} {y}" for x, y in points)
        self.shapes.append(
            f'<path class="line" d="M {path}" fill="none" stroke="{LINE[0]}" stroke-width="1.5" marker-end="url(#head)"/>'
        )
        if label:
            self.text(*at, label, 12, anchor=anchor)

    def svg(self):
        dark = [f".{kind} {{ fill: {fill}; stroke: {stroke}; }}" for kind, (_, _, fill, stroke) in KINDS.items()]
        dark += [f".text {{ fill: {TEXT[1]}; }}", f".line {{ stroke: {LINE[1]}; }}", f".head {{ fill: {LINE[1]}; }}"]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
                f'height="{self.height}" font-family="Helvetica, Arial, sans-serif" role="img">',
                f"<title>{escape(self.title)}</title>",
                "<style>@media (prefers-color-scheme: dark) {",
                *dark,
                "}</style>",
                '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
                f'<path class="head" d="M 0 0 L 8 4 L 0 8 z" fill="{LINE[0]}"/></marker></defs>',
                *self.shapes,
                "</svg>",
                "",
            ]
        )


def account():
    d = Drawing("account", "The AWS account: who reaches the tenants' data, and who is notified", 960, 560)
    d.group(20, 20, 920, 430, "AWS account")
    d.group(40, 52, 560, 250, "VPC, private subnets")
    d.box("tenant", 60, 90, 130, 54, "Application", "of acme")
    d.box("tenant", 60, 164, 130, 54, "Application", "of globex")
    d.box("guard", 250, 112, 130, 84, "pgBouncer", "one pool", "for each tenant")
    d.box("plain", 440, 90, 140, 128, "RDS", "one database", "for each tenant", "TLS, Multi-AZ")
    d.arrow((190, 117), (248, 138))
    d.arrow((190, 191), (248, 170))
    d.arrow((380, 154), (438, 154))
    d.box("guard", 250, 236, 130, 50, "Terraform", "as the admin")
    d.arrow((380, 261), (510, 261), (510, 220))
    d.text(390, 280, "roles, limits, watchdog", 12)

    d.box("plain", 640, 74, 140, 66, "CloudWatch", "metrics, logs,", "alarms")
    d.box("plain", 640, 174, 140, 66, "EventBridge", "events of RDS,", "calls of its API")
    d.box("wait", 820, 124, 100, 66, "SNS topic", "to whoever", "is on call")
    d.arrow((580, 107), (638, 107))
    d.arrow((580, 200), (638, 205))
    d.arrow((780, 107), (818, 142))
    d.arrow((780, 207), (818, 174))

    d.box("danger", 440, 340, 140, 84, "Snapshots", "and backups:", "ALL tenants' data")
    d.arrow((545, 220), (545, 338), label="daily", at=(551, 326), anchor="start")
    d.box("guard", 640, 262, 140, 60, "KMS key", "encrypts all of it")
    d.arrow((638, 292), (620, 292), (620, 382), (582, 382))
    d.box("guard", 640, 352, 280, 72, "snapshot-guard", "SCP or boundary: only DBAs copy and", "restore, nobody shares")
    d.arrow((638, 402), (582, 402))
    d.box("tenant", 60, 340, 250, 84, "Dumps of one tenant", "pg_dump as its own role,", "by export-tenant.sh")
    d.arrow((125, 218), (125, 338), label="what a tenant can have for itself", at=(134, 324), anchor="start")

    d.text(30, 480, "Who may what", 13, True)
    for at, line in enumerate(
        [
            "Terraform's role: makes and changes all of this. Of snapshots it may do what snapshot-guard leaves to it.",
            "DBA roles: make, copy and restore snapshots. Break-glass role: also deletes and exports them. Developers: none of these.",
            "Tenants: their own database through pgBouncer, and nothing else in this account.",
        ]
    ):
        d.text(30, 502 + at * 19, line, 12)
    return d


def walls():
    d = Drawing("walls", "The walls between tenants of one server, and what has no wall", 960, 520)
    d.group(20, 20, 920, 360, "PostgreSQL server")
    for x, name in ((40, "acme"), (360, "globex")):
        d.box("tenant", x + 40, 52, 200, 44, f"Role {name}", "no superuser, NOINHERIT")
        d.group(x, 132, 280, 172, f"Database {name}, owned by the admin", dashed=True)
        d.arrow((x + 140, 96), (x + 140, 130), label="CONNECT", at=(x + 148, 116), anchor="start")
        d.box("tenant", x + 20, 166, 240, 56, "Schema app", "USAGE, CREATE: its role only")
        d.box("plain", x + 20, 234, 240, 56, "Schema public, catalogs", "nothing for PUBLIC")
    d.arrow((280, 74), (340, 74), (340, 94))
    d.box("danger", 286, 96, 108, 30, "no CONNECT")
    d.group(680, 132, 240, 172, "Database postgres", dashed=True)
    d.box("plain", 700, 166, 200, 56, "The admin's own", "closed by cluster_baseline")
    d.box("guard", 700, 234, 200, 56, "pgtenant_watchdog", "ends what exceeds limits")
    d.box("guard", 700, 54, 200, 52, "Admin: CREATEROLE,", "CREATEDB, no superuser")
    d.arrow((800, 106), (800, 130))
    d.text(480, 334, "Trust ends at each dashed line: whoever crosses it has logged in, by a password or an IAM token, over TLS.", 12, anchor="middle")
    d.text(480, 356, "A role's limits (connections, timeouts) stand beside the walls: pgtenant_guardrails sets them for each tenant.", 12, anchor="middle")
    d.rect("danger", 20, 400, 920, 96, 10)
    d.text(40, 424, "No wall: shared by all", 13, True)
    for at, name in enumerate(["CPU, memory", "IOPS, disk space", "WAL, checkpoints", "autovacuum", "lock table", "snapshots"]):
        d.box("plain", 40 + at * 148, 438, 138, 42, name)
    return d


def triage():
    d = Drawing("triage", "From the alarm to the runbook", 960, 640)
    d.box("wait", 380, 20, 200, 44, "An alarm rings", "its name ends in ...")
    branches = [
        ("connections", ["availability, connections,", "slots-reserved, replica-lag,", "too-many-clients,", "*-connection-limit"], "Connections"),
        ("queries", ["cpu, db-load, *-latency,", "freeable-memory, disk-queue,", "*-saturation, *-balance,", "*-statement, statement-timeout"], "Runaway queries"),
        ("locks", ["deadlocks, lock-wait,", "lock-timeout, long-lock-wait,", "blocked-transactions,", "idle-in-transaction"], "Locks and transactions"),
        ("storage", ["free-storage, storage-ceiling,", "transaction-ids, wal-usage,", "replication-slot-lag,", "database-age, xmin-age"], "Autovacuum and storage"),
        ("snapshots", ["snapshots, sharing,", "calls, keys,", "downloads,", "backup-*"], "Backups and snapshots"),
    ]
    d.arrow((480, 64), (480, 84))
    d.shapes.append(f'<path class="line" d="M 104 86 L 856 86" stroke="{LINE[0]}" stroke-width="1.5"/>')
    for at, (_, alarms, runbook) in enumerate(branches):
        x = 14 + at * 188
        d.arrow((x + 90, 86), (x + 90, 106))
        d.rect("plain", x, 108, 180, 72)
        for line, text in enumerate(alarms):
            d.text(x + 90, 124 + line * 16, text, 10.5, anchor="middle")
        d.arrow((x + 90, 180), (x + 90, 208))
        d.box("guard", x, 210, 180, 40, runbook)
        if at < 4:
            d.arrow((x + 90, 250), (x + 90, 286))
    d.arrow((856, 250), (856, 498))
    d.box("danger", 766, 500, 180, 60, "Treat it as disclosure", "until it is shown", "that nothing was copied")
    d.box("wait", 14, 288, 744, 44, "Does one tenant cause it?", "step 1 and 2 of each runbook answer by name")
    d.arrow((200, 332), (200, 370), label="yes", at=(210, 356), anchor="start")
    d.arrow((560, 332), (560, 370), label="no", at=(570, 356), anchor="start")
    d.rect("tenant", 14, 372, 380, 188)
    d.text(30, 396, "The acts on one tenant, the mildest first", 13, True)
    for at, line in enumerate(
        ["1  cancel one statement", "2  end one session", "3  end its idle sessions", "4  lower a limit", "5  make new transactions read-only", "6  suspend it"]
    ):
        d.text(34, 422 + at * 22, line, 13)
    d.rect("plain", 414, 372, 344, 188)
    d.text(430, 396, "Act 7: on the server, felt by all", 13, True)
    for at, line in enumerate(
        ["Did RDS restart or fail over? Wait, then look again.", "Is the storage being optimized? It cannot grow now.", "More IOPS, a larger class, a restart:", "the incident's owner decides."]
    ):
        d.text(430, 422 + at * 22, line, 12)
    d.arrow((204, 560), (204, 588))
    d.arrow((586, 560), (586, 588))
    d.box("plain", 14, 590, 744, 40, "After each act, look again. Then write down what you did, and make the configuration say it.")
    return d


def budget():
    d = Drawing("budget", "Where the connections of a server go", 960, 400)
    d.text(40, 36, "max_connections = 400", 14, True)
    left, width, total = 40, 880, 400
    at = lambda connections: round(left + width * connections / total, 1)
    parts = [("tenant", 0, 120, "acme", "120"), ("tenant", 120, 220, "globex", "100"), ("tenant", 220, 330, "40 small tenants", "110 in all"), ("plain", 330, 387, "headroom", "57"), ("wait", 387, 397, "", ""), ("danger", 397, 400, "", "")]
    for kind, first, last, name, number in parts:
        if name:
            d.box(kind, at(first), 60, round(at(last) - at(first), 1), 56, name, number)
        else:
            d.rect(kind, at(first), 60, round(at(last) - at(first), 1), 56, 0)
    d.arrow((at(392), 150), (at(392), 118))
    d.text(at(392) + 4, 166, "reserved_connections: 10 (16 and newer)", 12, anchor="end")
    d.arrow((at(398.5), 190), (at(398.5), 118))
    d.text(920, 206, "superuser_reserved_connections: 3", 12, anchor="end")
    d.arrow((at(348), 150), (at(348), 118))
    d.text(at(348) - 8, 146, "alarm: 90 % of 387", 12, anchor="end")
    d.text(40, 146, "387 for tenants (connections_for_tenants): their connection_limits must not add up to more.", 12)

    d.text(40, 246, "Inside acme's limit of 120", 14, True)
    d.box("guard", 40, 262, 400, 56, "pgBouncer 1: 59")
    d.box("guard", 440, 262, 400, 56, "pgBouncer 2: 59")
    d.box("plain", 840, 262, 80, 56, "direct: 2")
    d.text(40, 342, "connection_limit >= instances of pgBouncer x pool_size + direct connections (migrations, dumps, a person).", 12)
    d.text(40, 364, "Without pgBouncer: connection_limit >= instances of the application x the largest size of its pool + direct connections.", 12)
    return d


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for drawing in (account(), walls(), triage(), budget()):
        (directory / f"{drawing.name}.svg").write_text(drawing.svg(), encoding="utf-8")
