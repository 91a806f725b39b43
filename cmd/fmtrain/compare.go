package main

import "github.com/spf13/cobra"

func newCompare(s streams) *cobra.Command { return &cobra.Command{Use: "compare"} }
func newWatch(s streams) *cobra.Command   { return &cobra.Command{Use: "watch"} }
