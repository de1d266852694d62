// The forms in which LumoAuth's sources contradict each other (protocol.md), settable one by one.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/json.hpp"

namespace jitproxy::emulator {

class variants {
  public:
    variants() { reset(); }
    // Empty where set; else what is wrong. Nothing changes unless every member is good.
    std::string set(json::object const& wanted);
    [[nodiscard]] std::string const& get(std::string_view name) const;  // the name must exist
    [[nodiscard]] bool is(std::string_view name, std::string_view value) const { return get(name) == value; }
    [[nodiscard]] json::object to_json() const;
    void reset();

  private:
    std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace jitproxy::emulator
