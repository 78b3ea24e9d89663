// Hello is a program for another machine than the guest.
package main

func main() { println("hello") }
