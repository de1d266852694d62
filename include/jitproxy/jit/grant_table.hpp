// What each resource of a session is served by: one writer on the control thread, and any number of readers with a copy
// each. A copy costs two pointers, and a change no more than the square root of what there is: what has changed lately
// is in a layer of its own above the rest.
#pragma once
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

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
    using layer = std::unordered_map<std::string, scoped_bearer, string_hash, std::equal_to<>>;
    std::shared_ptr<layer const> base_;
    std::shared_ptr<layer const> recent_;  // in place of the base; without a token: is there no more
    std::size_t size_ = 0;
};

class grant_table {
  public:
    void put(std::string const& resource, scoped_bearer bearer);
    void erase(std::string_view resource);
    // What there is now.
    [[nodiscard]] grant_view view();

  private:
    void set(std::string const& resource, scoped_bearer bearer);
    grant_view now_;
    std::shared_ptr<grant_view::layer> open_;  // now_.recent_, as long as nobody else has seen it
};

}  // namespace jitproxy::jit
