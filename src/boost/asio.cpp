// The one place where Asio's non-template parts (and its SSL's) are compiled.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
