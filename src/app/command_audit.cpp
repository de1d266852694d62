#include <iostream>

#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/table.hpp"
#include "jitproxy/audit/verify.hpp"

namespace jitproxy::app {
namespace fs = std::filesystem;
namespace {

std::string head_text(audit::head const& h) {
    return std::to_string(h.seq) + ":" + h.hash;
}

void print_json(audit::verdict const& v, audit::trail_files const& looked_at) {
    json::array files;
    for (auto const& file : looked_at.files) files.push_back(json::value(file.string()));
    json::array problems;
    for (auto const& p : v.problems)
        problems.push_back(json::object{{"file", p.file}, {"line", p.line}, {"what", p.what}});
    std::cout << json::serialize(json::object{{"good", v.good()},
                                              {"files", files},
                                              {"compressed_files_left_out", looked_at.left_out},
                                              {"lines", v.lines},
                                              {"torn", v.torn},
                                              {"first_seq", v.first_seq},
                                              {"first_time", v.first_time},
                                              {"last_time", v.last_time},
                                              {"head", head_text(v.last)},
                                              {"problem_count", v.problem_count},
                                              {"problems", problems}})
              << "\n";
}

void print(audit::verdict const& v, audit::trail_files const& looked_at) {
    for (auto const& p : v.problems) std::cerr << p.text() << "\n";
    if (v.problem_count > v.problems.size()) std::cerr << "and " << v.problem_count - v.problems.size() << " more\n";
    for (auto const& file : looked_at.files) std::cout << "looked at: " << for_terminal(file.string()) << "\n";
    std::cout << v.lines << (v.lines == 1 ? " line" : " lines");
    if (v.lines > 0) std::cout << ", " << for_terminal(v.first_time) << " to " << for_terminal(v.last_time);
    std::cout << (v.good() ? ": good" : ": not as written") << "\nhead: " << head_text(v.last) << "\n";
    if (v.torn > 0) std::cout << v.torn << " unfinished by a crash, and marked so\n";
    if (v.first_seq > 1)
        std::cout << "begins with line " << v.first_seq
                  << ": what came before is in files that are not among these, or was removed\n";
    if (looked_at.left_out > 0)
        std::cout << looked_at.left_out << " compressed files were not looked at: decompress and name them\n";
}

}  // namespace

int audit_verify(common_options const& o, audit_options const& a) {
    std::optional<audit::head> noted;
    if (!a.head.empty()) {
        auto const parsed = audit::parse_head(a.head);
        if (!parsed) return fail("--head: " + parsed.error().detail, exit_usage);
        noted = *parsed;
    }
    audit::trail_files looked_at;
    fs::path trail;
    if (a.files.empty()) {
        auto const loaded = load_with(o, false);
        if (report_problems(loaded)) return exit_bad_configuration;
        auto const state = state_directory(loaded.value, o.variables);
        if (!state) return fail(state.error());
        trail = audit_file(loaded.value, *state);
        if (trail.empty()) return fail("[audit] file is \"off\": there is no audit trail");
        looked_at = audit::files_of(trail);
        if (looked_at.files.empty()) return fail("there is no audit trail at " + trail.string());
    } else {
        looked_at.files.assign(a.files.begin(), a.files.end());
        trail = looked_at.files.back();
    }
    auto const verdict = audit::verify(looked_at.files, trail, noted);
    if (a.as_json)
        print_json(verdict, looked_at);
    else
        print(verdict, looked_at);
    return verdict.good() ? exit_done : exit_failed;
}

}  // namespace jitproxy::app
