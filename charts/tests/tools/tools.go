//go:build tools

// Package tools pins what cannot be installed by version, because its own go.mod replaces a module.
package tools

import _ "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"
