#include "jitproxy/store/database.hpp"

#include <sqlite3.h>

#include <utility>

namespace jitproxy::store {
namespace {

// Names the file and how to mend it; values never appear in SQLite's messages.
error trouble(sqlite3* d, int code) {
    auto const* const path = d == nullptr ? nullptr : sqlite3_db_filename(d, "main");
    std::string const file = path == nullptr || *path == '\0' ? "the journal" : std::string{"the journal "} + path;
    std::string const cause = d == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(d);
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return make_error(errc::storage,
                              file + " is damaged (" + cause +
                                  "). It names the sessions that may still be open at the authorization server, so it "
                                  "is left as it is: restore it, or move it away together with its -wal and -shm files "
                                  "and complete what is still open there by hand");
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return make_error(errc::storage, file + " cannot be written (" + cause +
                                                 "): it and its directory must be writable for the user that "
                                                 "jitproxy runs as");
        case SQLITE_FULL:
            return make_error(errc::storage, file + " cannot be written: the file system is full");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return make_error(errc::storage, file + " is locked by another program (" + cause + ")");
        default:
            return make_error(errc::storage, file + " failed: " + cause);
    }
}

}  // namespace

void statement::finalizer::operator()(sqlite3_stmt* s) const noexcept {
    sqlite3_finalize(s);
}

void statement::bind(std::string_view value) noexcept {
    // SQLITE_STATIC (a null destructor): the text outlives the run, which ends before its caller returns.
    auto const* const text = value.data() == nullptr ? "" : value.data();
    bound_ =
        sqlite3_bind_text64(handle_.get(), next_++, text, value.size(), nullptr, SQLITE_UTF8) == SQLITE_OK && bound_;
}

void statement::bind(std::int64_t value) noexcept {
    bound_ = sqlite3_bind_int64(handle_.get(), next_++, value) == SQLITE_OK && bound_;
}

void statement::bind(std::optional<std::int64_t> value) noexcept {
    if (value) return bind(*value);
    bound_ = sqlite3_bind_null(handle_.get(), next_++) == SQLITE_OK && bound_;
}

result<bool> statement::step() {
    auto* const d = sqlite3_db_handle(handle_.get());
    if (!bound_) return make_error(errc::internal, "a journal statement does not take its parameters");
    auto const code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return trouble(d, code);
}

void statement::finish() noexcept {
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
    bound_ = true;
}

std::string statement::text(int column) const {
    auto const* const data = sqlite3_column_blob(handle_.get(), column);
    auto const size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
    return data == nullptr ? std::string{} : std::string{static_cast<char const*>(data), size};
}

std::optional<std::int64_t> statement::integer(int column) const {
    if (sqlite3_column_type(handle_.get(), column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_int64(handle_.get(), column);
}

void database::closer::operator()(sqlite3* d) const noexcept {
    sqlite3_close_v2(d);
}

result<database> database::open_as(std::filesystem::path const& file, int flags) {
    sqlite3* raw = nullptr;
    // NOMUTEX: used on one thread. No CREATE: the caller makes the file, with the permissions it needs.
    auto const code = sqlite3_open_v2(file.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    database d;
    d.handle_.reset(raw);
    if (code != SQLITE_OK) return trouble(raw, code);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, 2000);
    return d;
}

result<database> database::open(std::filesystem::path const& file) {
    auto d = open_as(file, SQLITE_OPEN_READWRITE);
    // READWRITE falls back to reading where the file may not be written.
    if (d && sqlite3_db_readonly(d->handle_.get(), "main") != 0) return trouble(d->handle_.get(), SQLITE_READONLY);
    return d;
}

result<database> database::open_to_read(std::filesystem::path const& file) {
    return open_as(file, SQLITE_OPEN_READONLY);
}

result<void> database::execute(char const* sql) {
    auto const code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return trouble(handle_.get(), code);
    return {};
}

result<statement> database::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    auto const code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                         SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    statement s;
    s.handle_.reset(raw);
    if (code != SQLITE_OK) return trouble(handle_.get(), code);
    return s;
}

result<std::string> database::read_text(std::string_view sql) {
    auto s = prepare(sql);
    if (!s) return s.error();
    std::optional<std::string> found;
    if (auto ok = s->query([&] {
            if (!found) found = s->text(0);
        });
        !ok)
        return ok.error();
    return found.value_or("");
}

result<std::int64_t> database::read_integer(std::string_view sql) {
    auto s = prepare(sql);
    if (!s) return s.error();
    std::optional<std::int64_t> found;
    if (auto ok = s->query([&] {
            if (!found) found = s->integer(0);
        });
        !ok)
        return ok.error();
    return found.value_or(0);
}

std::int64_t database::changed_rows() const noexcept {
    return sqlite3_changes64(handle_.get());
}

result<transaction> transaction::begin(database& on) {
    // IMMEDIATE: the right to write is had from the start, and not lost half way.
    if (auto ok = on.execute("BEGIN IMMEDIATE"); !ok) return ok.error();
    return transaction{on};
}

result<void> transaction::commit() {
    auto ok = on_->execute("COMMIT");
    if (ok) on_ = nullptr;
    return ok;
}

transaction::transaction(transaction&& other) noexcept : on_(std::exchange(other.on_, nullptr)) {}

transaction::~transaction() {
    // Fails where SQLite has rolled back by itself; nothing is committed either way.
    if (on_ != nullptr) static_cast<void>(on_->execute("ROLLBACK"));
}

}  // namespace jitproxy::store
