// What the journal needs of SQLite, with its errors as results.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace jitproxy::store {

// A prepared statement that is run many times. Lives no longer than its database.
class statement {
  public:
    // Binds the parameters in order and runs it to its end; rows are not wanted.
    template <class... Values>
    [[nodiscard]] result<void> run(Values const&... values) {
        start();
        (bind(values), ...);
        auto const more = step();
        finish();
        if (!more) return more.error();
        return {};
    }
    // Binds, then calls `row` for each row, which reads its columns from this.
    template <class Row, class... Values>
    [[nodiscard]] result<void> query(Row&& row, Values const&... values) {
        start();
        (bind(values), ...);
        for (;;) {
            auto const more = step();
            if (!more || !*more) {
                finish();
                if (!more) return more.error();
                return {};
            }
            row();
        }
    }

    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::optional<std::int64_t> integer(int column) const;  // nullopt: NULL

  private:
    friend class database;
    struct finalizer {
        void operator()(sqlite3_stmt* s) const noexcept;
    };

    void start() noexcept { next_ = 1; }
    void bind(std::string_view value) noexcept;
    void bind(std::int64_t value) noexcept;
    void bind(std::optional<std::int64_t> value) noexcept;
    [[nodiscard]] result<bool> step();  // true: a row
    void finish() noexcept;

    std::unique_ptr<sqlite3_stmt, finalizer> handle_;
    int next_ = 1;
    bool bound_ = true;
};

class database {
  public:
    // Opens an existing file for reading and writing. Errors of everything here: storage.
    [[nodiscard]] static result<database> open(std::filesystem::path const& file);
    // For looking only: nothing that is done with it can change what the file says.
    [[nodiscard]] static result<database> open_to_read(std::filesystem::path const& file);

    [[nodiscard]] result<void> execute(char const* sql);  // any number of statements, without parameters or rows
    [[nodiscard]] result<statement> prepare(std::string_view sql);
    [[nodiscard]] result<std::string> read_text(std::string_view sql);  // the first column of the first row
    [[nodiscard]] result<std::int64_t> read_integer(std::string_view sql);
    [[nodiscard]] std::int64_t changed_rows() const noexcept;  // by the last statement

  private:
    [[nodiscard]] static result<database> open_as(std::filesystem::path const& file, int flags);
    struct closer {
        void operator()(sqlite3* d) const noexcept;
    };
    std::unique_ptr<sqlite3, closer> handle_;
};

// All or nothing: what is not committed is rolled back.
class transaction {
  public:
    [[nodiscard]] static result<transaction> begin(database& on);
    [[nodiscard]] result<void> commit();
    transaction(transaction&& other) noexcept;
    transaction& operator=(transaction&&) = delete;
    ~transaction();

  private:
    explicit transaction(database& on) noexcept : on_(&on) {}
    database* on_;
};

}  // namespace jitproxy::store
