package config

import (
	"encoding/json"
	"errors"
	"fmt"
	pathpkg "path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"fmtrain/internal/bounds"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)
