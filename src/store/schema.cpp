#include "jitproxy/store/schema.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <string>

namespace jitproxy::store {
namespace {

// What makes schema N of schema N - 1; a new file is brought up from nothing. A step that was released is never
// changed. Times are milliseconds since the epoch. `transitions` is the history behind the other tables.
constexpr char const* steps[] = {R"sql(
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
)sql",
                                 R"sql(
ALTER TABLE tasks ADD COLUMN closing_at INTEGER;
ALTER TABLE tasks ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN owner_pid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN justification TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN idle_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN secret_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE permissions ADD COLUMN api TEXT NOT NULL DEFAULT '';
ALTER TABLE permissions ADD COLUMN justification TEXT NOT NULL DEFAULT '';
ALTER TABLE permissions ADD COLUMN status_url TEXT NOT NULL DEFAULT '';
ALTER TABLE permissions ADD COLUMN risk_level TEXT NOT NULL DEFAULT '';
ALTER TABLE permissions ADD COLUMN expires_at INTEGER;
ALTER TABLE permissions ADD COLUMN pending_at INTEGER;
ALTER TABLE permissions ADD COLUMN reason TEXT NOT NULL DEFAULT '';
CREATE TABLE grants (
    grant_id    TEXT PRIMARY KEY,
    session_id  TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    need        TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER,
    dropped_at  INTEGER,
    dropped_why TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_of_session ON grants (session_id, need);
)sql",
                                 R"sql(
ALTER TABLE tasks ADD COLUMN agent TEXT NOT NULL DEFAULT '';
)sql"};
static_assert(std::size(steps) == schema_version);

error cannot(std::string_view doing, std::filesystem::path const& what, int cause) {
    return make_error(errc::storage, "cannot " + std::string{doing} + " " + what.string() + ": " +
                                         std::strerror(cause) +
                                         "; the state directory must be writable for the user that jitproxy runs as");
}

// A new name in a directory is durable only once the directory is.
result<void> sync_directory(std::filesystem::path const& directory) {
    int const fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return cannot("open", directory, errno);
    auto const failed = ::fsync(fd) != 0 ? errno : 0;
    ::close(fd);
    if (failed != 0 && failed != EINVAL) return cannot("write", directory, failed);  // EINVAL: does not know how
    return {};
}

result<void> bring_up_to_date(database& d, std::int64_t version) {
    auto t = transaction::begin(d);
    if (!t) return t.error();
    auto const marks = "PRAGMA application_id = " + std::to_string(application_id) +
                       "; PRAGMA user_version = " + std::to_string(schema_version);
    for (auto next = version; next < schema_version; ++next)
        if (auto ok = d.execute(steps[next]); !ok) return ok;
    if (auto ok = d.execute(marks.c_str()); !ok) return ok;
    return t->commit();
}

}  // namespace

result<void> prepare_file(std::filesystem::path const& file) {
    int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool const made = fd >= 0;
    if (!made) {
        if (errno != EEXIST) return cannot("create", file, errno);
        fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) return cannot("open", file, errno);
    }
    struct stat about {};
    auto failed = ::fstat(fd, &about) != 0 ? errno : 0;
    bool const regular = S_ISREG(about.st_mode);
    // One that others may read, as after a careless copy, is closed to them again.
    if (failed == 0 && regular && (about.st_mode & 077) != 0 && ::fchmod(fd, 0600) != 0) failed = errno;
    ::close(fd);
    if (failed != 0) return cannot("use", file, failed);
    if (!regular) return make_error(errc::storage, file.string() + " is not a regular file");
    if (made) return sync_directory(file.parent_path());
    return {};
}

result<std::int64_t> examine_schema(database& d, std::filesystem::path const& file) {
    auto const version = d.read_integer("PRAGMA user_version");  // the first look into the file
    if (!version) return version.error();
    auto const application = d.read_integer("PRAGMA application_id");
    if (!application) return application.error();
    auto const content = d.read_integer("SELECT count(*) FROM sqlite_schema");
    if (!content) return content.error();
    if (*version == 0 && *application == 0 && *content == 0) return 0;
    if (*application != application_id) {
        return make_error(errc::storage, file.string() +
                                             " is no journal of jitproxy's: move it away, or set another "
                                             "state directory");
    }
    if (*version > schema_version) {
        return make_error(errc::storage, file.string() + " was written by a newer jitproxy (schema " +
                                             std::to_string(*version) + ", this one knows " +
                                             std::to_string(schema_version) + "): run that one");
    }
    if (*version < 1) {
        return make_error(errc::storage, file.string() + " has no schema version: it is damaged, or not ours");
    }
    auto const verdict = d.read_text("PRAGMA quick_check(1)");
    if (!verdict) return verdict.error();
    if (*verdict != "ok") {
        return make_error(errc::storage, "the journal " + file.string() + " is damaged (" + *verdict +
                                             "): restore it, or move it away together with its -wal and -shm files "
                                             "and complete what is still open at the authorization server by hand");
    }
    return version;
}

result<void> prepare_schema(database& d, std::filesystem::path const& file) {
    auto const version = examine_schema(d, file);
    if (!version) return version.error();
    auto const mode = d.read_text("PRAGMA journal_mode = WAL");
    if (!mode) return mode.error();
    if (*mode != "wal") {
        return make_error(errc::storage, file.string() +
                                             " cannot have a write-ahead log: its file system lacks "
                                             "shared memory or locks; use a local one");
    }
    if (auto ok = d.execute("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF"); !ok) return ok;
    return *version < schema_version ? bring_up_to_date(d, *version) : result<void>{};
}

}  // namespace jitproxy::store
