// Answers as people read them.
#pragma once
#include <string>
#include <vector>

#include "jitproxy/base/json.hpp"

namespace jitproxy::app {

class text_table {
  public:
    explicit text_table(std::vector<std::string> head) : rows_{std::move(head)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] std::string text() const;  // columns padded, no trailing space

  private:
    std::vector<std::vector<std::string>> rows_;
};
// "name: value" lines, in the document's order; members without a value are left out.
[[nodiscard]] std::string describe(json::object const& document);
// What came from elsewhere (an agent's justification, a server's text) must not steer the terminal: control
// characters, also those of C1, become "?".
[[nodiscard]] std::string for_terminal(std::string_view text);

}  // namespace jitproxy::app
