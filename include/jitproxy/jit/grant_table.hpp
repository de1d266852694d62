// What each resource of a session is served by: one writer on the control thread, and any number of readers with a copy
// each. A copy costs two pointers, and a change no more than the square root of what there is: resources are spread
// over parts by their hash, and only the parts that have changed are copied. What was dropped or replaced is in no copy
// that is taken afterwards: its token ends with the copies that were taken before.
#pragma once
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/secret.hpp"

namespace jitproxy::jit {

struct scoped_bearer {
    std::string grant_id;  // names the grant to the task manager; no secret
    secret_ptr token;
    steady_time usable_until;
    // Set by the first who sends the token, on any thread. Null where nobody asks.
    std::shared_ptr<std::atomic<bool>> used;
};

// True for one caller: the token goes out for the first time.
[[nodiscard]] inline bool first_use(std::shared_ptr<std::atomic<bool>> const& used) {
    return used && !used->exchange(true, std::memory_order_relaxed);
}

struct string_hash {  // heterogeneous lookup
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
};

// By resource_key(): "METHOD https://host:port/path?query". Never changes; may be read on any thread.
class grant_view {
  public:
    // nullptr where there is none. What is found may have run out: see usable_until.
    [[nodiscard]] scoped_bearer const* find(std::string_view resource) const;
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::map<std::string, scoped_bearer> all() const;

  private:
    friend class grant_table;
    using part = std::unordered_map<std::string, scoped_bearer, string_hash, std::equal_to<>>;
    using parts = std::vector<std::shared_ptr<part const>>;  // as many as a power of two; null: empty
    std::shared_ptr<parts const> parts_;                     // null: there is nothing
    std::size_t size_ = 0;
};

class grant_table {
  public:
    void put(std::string const& resource, scoped_bearer bearer);
    void erase(std::string_view resource);
    // What there is now.
    [[nodiscard]] grant_view view();

  private:
    using part = grant_view::part;
    struct slot {
        std::shared_ptr<part> what;  // null: empty
        bool seen = false;           // by readers: it is copied before it is changed
    };
    [[nodiscard]] slot& slot_of(std::string_view resource);
    [[nodiscard]] part& open(slot& s);  // to be changed
    void spread();

    std::vector<slot> slots_;  // a power of two
    grant_view latest_;        // empty where something has changed since
    std::size_t size_ = 0;
};

}  // namespace jitproxy::jit
