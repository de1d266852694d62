// A directory of the test's own, gone with it.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace jitproxy::test {

class directory {
  public:
    directory() {
        std::string name = (std::filesystem::temp_directory_path() / "jitproxy-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path_ = name;
    }
    ~directory() {
        std::error_code ignored;
        std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
        std::filesystem::remove_all(path_, ignored);
    }
    directory(directory const&) = delete;
    directory& operator=(directory const&) = delete;

    [[nodiscard]] std::filesystem::path const& path() const { return path_; }
    [[nodiscard]] std::filesystem::path file(char const* name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

}  // namespace jitproxy::test
