// A journal as the first schema left it: one task open, one being opened, one closed, with a permission each.
#pragma once

namespace jitproxy::test {

constexpr char const* schema_1 = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1785295984;
PRAGMA user_version = 1;
CREATE TABLE tasks (
    session_id TEXT PRIMARY KEY,
    task_id    TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL CHECK (state IN ('opening', 'open', 'closed')),
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER,
    closed_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_not_closed ON tasks (opened_at) WHERE state <> 'closed';
CREATE TABLE permissions (
    id         INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    need       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('asking', 'settled')),
    request_id TEXT NOT NULL DEFAULT '',
    outcome    TEXT NOT NULL DEFAULT '',
    asked_at   INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;
CREATE INDEX permissions_of_session ON permissions (session_id, need, state);
CREATE TABLE transitions (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    permission INTEGER,
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX transitions_of_session ON transitions (session_id);
INSERT INTO tasks VALUES ('ses_open', 'tsk_1', 'open', 1750000001000, 1750000900000, NULL),
                         ('ses_opening', '', 'opening', 1750000002000, NULL, NULL),
                         ('ses_closed', 'tsk_3', 'closed', 1750000003000, NULL, 1750000004000);
INSERT INTO permissions VALUES (1, 'ses_open', 'https://a:443 {}', 'asking', '', '', 1750000002000, NULL),
                               (2, 'ses_closed', 'need', 'settled', 'req_1', 'granted', 1750000003000, 1750000003500);
INSERT INTO transitions VALUES (1, 1750000001000, 'ses_open', NULL, 'opening', ''),
                               (2, 1750000001500, 'ses_open', NULL, 'open', 'tsk_1');
)sql";

}  // namespace jitproxy::test
