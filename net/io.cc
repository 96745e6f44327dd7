#include "net/io.h"
