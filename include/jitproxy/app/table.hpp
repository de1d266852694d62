// Answers as people read them.
#pragma once
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::app {

class text_table {
  public:
    explicit text_table(std::vector<std::string> head) : rows_{std::move(head)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    // Columns padded, no trailing space; of a text longer than widest_cell code points the beginning and "…".
    [[nodiscard]] std::string text() const;
    static constexpr std::size_t widest_cell = 80;

  private:
    std::vector<std::vector<std::string>> rows_;
};
// "name: value" lines, in the document's order; members without a value are left out.
[[nodiscard]] std::string describe(json::object const& document);
// What came from elsewhere (an agent's justification, a server's text) must neither steer the terminal nor look like
// something else: control characters, also those of C1, and what is invisible or changes the direction of writing
// (U+200B to U+200F, U+2028 to U+202E, U+2060 to U+2069, U+FEFF) become "?".
[[nodiscard]] std::string for_terminal(std::string_view text);
// How long ago, in its two largest units: "12s", "4m12s", "3h5m", "2d4h". What is to come is "0s".
[[nodiscard]] std::string age_text(seconds age);

}  // namespace jitproxy::app
