// Feeds a fuzz target the files of a directory, and everything that each of them begins with: what the kept corpus
// shows is seen by every build, without clang.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>

#include "fuzz.hpp"

namespace {

void feed(std::string_view bytes) {
    jitproxy::fuzz::exact const copy{bytes};
    LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(copy.view().data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " FILE | DIRECTORY\n";
        return 2;
    }
    std::set<std::filesystem::path> files;
    if (std::filesystem::is_directory(argv[1]))
        for (auto const& entry : std::filesystem::directory_iterator(argv[1])) files.insert(entry.path());
    else
        files.insert(argv[1]);
    for (auto const& file : files) {
        std::ifstream in(file, std::ios::binary);
        std::string const bytes{std::istreambuf_iterator<char>(in), {}};
        if (!in) {
            std::cerr << file.string() << ": cannot be read\n";
            return 1;
        }
        std::cout << file.filename().string() << std::endl;  // at once: the last one named is the one that failed
        for (std::size_t size = 0; size <= bytes.size(); ++size) feed(std::string_view(bytes).substr(0, size));
    }
    if (files.empty()) {
        std::cerr << argv[1] << ": nothing there\n";
        return 1;
    }
    return 0;
}
