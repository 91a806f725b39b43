package main

import "github.com/spf13/cobra"

func newWatch(s streams) *cobra.Command { return &cobra.Command{Use: "watch"} }
