// A string that cannot be printed and is wiped when dropped. The only way to its bytes is reveal().
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace jitproxy {

class secret {
  public:
    secret() = default;
    explicit secret(std::string value);  // takes over and wipes what it was given
    secret(secret&& other) noexcept;
    secret& operator=(secret&& other) noexcept;
    secret(secret const&) = delete;
    secret& operator=(secret const&) = delete;
    ~secret();

    [[nodiscard]] std::string_view reveal() const noexcept { return value_; }  // valid while this lives
    [[nodiscard]] bool empty() const noexcept { return value_.empty(); }

  private:
    std::string value_;
};

// How secrets are handed around: immutable, shared, any thread.
using secret_ptr = std::shared_ptr<secret const>;
[[nodiscard]] secret_ptr make_secret(std::string value);

// Equal in time that depends on the lengths only.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b) noexcept;
// Overwrites in a way that the optimiser does not remove.
void wipe(std::string& value) noexcept;

}  // namespace jitproxy
