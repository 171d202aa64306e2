// The floor of the stdio figures: answers every line with the same bytes and the line's id, no
// parser.
//
// usage: fixed_stdio ANSWER_FILE
// The answer's "@ID@" becomes the digits that follow the request's "\"id\":".
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

void write_all(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

std::string_view id_of(std::string_view line) {
  const std::size_t at = line.find("\"id\":");
  if (at == std::string_view::npos) return "null";
  const std::string_view rest = line.substr(at + 5);
  return rest.substr(0, rest.find_first_not_of("0123456789"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fixed_stdio ANSWER_FILE\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  std::string answer{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  const std::size_t id = answer.find("@ID@");
  if (id == std::string::npos) return 2;
  const std::string before = answer.substr(0, id);
  const std::string after = answer.substr(id + 4) + "\n";
  std::string in;
  std::string out;
  char buffer[65536];
  for (ssize_t n; (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) {
    in.append(buffer, static_cast<std::size_t>(n));
    out.clear();
    std::size_t begin = 0;
    for (std::size_t end; (end = in.find('\n', begin)) != std::string::npos; begin = end + 1) {
      out.append(before)
          .append(id_of(std::string_view(in).substr(begin, end - begin)))
          .append(after);
    }
    in.erase(0, begin);
    write_all(out);
  }
  return 0;
}
