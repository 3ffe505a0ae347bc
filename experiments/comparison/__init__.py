"""Methods beside each other: choice by validation, tables, figures."""
