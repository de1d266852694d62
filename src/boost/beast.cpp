// The one place where Beast's non-template parts are compiled.
#include <boost/beast/src.hpp>
