#include "auth/verifier.h"
