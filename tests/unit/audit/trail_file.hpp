// A trail in a directory of the test's own, and its files as text.
#pragma once
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "directory.hpp"
#include "jitproxy/audit/trail.hpp"
#include "jitproxy/audit/verify.hpp"

namespace jitproxy::test {

struct trail_file {
    directory place;
    std::filesystem::path file = place.file("audit.jsonl");
    wall_time now = *parse_rfc3339("2026-05-04T10:00:00.25Z");

    [[nodiscard]] audit::trail writer() const {
        return {file, [this] { return now; }};
    }
    // `n` lines, of a writer of their own.
    void write(int n) const {
        auto t = writer();
        for (int i = 0; i != n; ++i)
            if (!t.append({"session.opened", "ses_1", {{"kind", "daemon"}}, {{"n", i}}}))
                throw std::runtime_error("not written");
    }
    [[nodiscard]] std::string text(std::string const& name = "audit.jsonl") const {
        std::ifstream in(place.path() / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void replace(std::string const& with, std::string const& name = "audit.jsonl") const {
        std::ofstream(place.path() / name, std::ios::binary | std::ios::trunc) << with;
    }
    [[nodiscard]] std::vector<std::string> lines(std::string const& name = "audit.jsonl") const {
        std::vector<std::string> out;
        std::ifstream in(place.path() / name, std::ios::binary);
        for (std::string line; std::getline(in, line);) out.push_back(line);
        return out;
    }
    void replace_lines(std::vector<std::string> const& with) const {
        std::string all;
        for (auto const& line : with) all += line + "\n";
        replace(all);
    }
    void rename(char const* to) const { std::filesystem::rename(file, place.file(to)); }
    [[nodiscard]] audit::verdict verify(std::optional<audit::head> const& noted = std::nullopt) const {
        return audit::verify(audit::files_of(file).files, file, noted);
    }
};

}  // namespace jitproxy::test
